# The few commands that people type, over Meson.

PREFIX = /usr/local
MESON_FLAGS =

.PHONY: build demo test check install bench soak fuzz clean

# The program: build/mapiwire
build:
	@tools/deps build
	@[ -f build/build.ninja ] || meson setup build --prefix=$(PREFIX) $(MESON_FLAGS)
	@ninja -C build

# A server, a client that walks Outlook's path, and their conversation made visible
demo: build
	@tools/demo

# Everything, as .ci/run does; ends with what was skipped and why
test:
	@tools/deps test
	@tests/run test

# The quick half: format, static analysis, layering, unit tests
check:
	@tools/deps test
	@tests/run check

# With PREFIX (at the first build) and DESTDIR
install: build
	@meson install -C build --no-rebuild

# BENCH=rpc, store or lens for one part
bench:
	@tools/deps test
	@bench/run

# Without limit, until something fails
soak:
	@tools/deps test
	@tests/run soak

# FUZZ=NAME for one target; without limit, until something fails
fuzz:
	@tools/deps test
	@tools/fuzz $(FUZZ)

clean:
	rm -rf build build-*
