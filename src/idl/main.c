#include "idl/gen.h"

#include <stdio.h>
#include <string.h>

/* mapiwire-idl FILE.idl FILE.h FILE.c: the build's generator. Imports are looked up beside FILE.idl. */

static char *read_file(struct arena *arena, const char *path, size_t *len)
{
	FILE *f = fopen(path, "rb");
	char *text = f ? arena_alloc(arena, IDL_MAX_TEXT + 1) : NULL;

	if (text) {
		*len = fread(text, 1, IDL_MAX_TEXT + 1, f);
		if (ferror(f))
			text = NULL;
	}
	if (f)
		fclose(f);
	return text;
}

static const char *import(void *user, struct arena *arena, const char *name, size_t *len)
{
	const char *beside = user, *slash = strrchr(beside, '/');
	const char *path = arena_printf(arena, "%.*s%s", slash ? (int)(slash - beside + 1) : 0, beside, name);

	return path ? read_file(arena, path, len) : NULL;
}

static int write_file(const char *path, const struct buf *b)
{
	FILE *f = fopen(path, "wb");
	int bad;

	if (!f)
		return -1;
	bad = fwrite(b->data, 1, b->len, f) != b->len;
	return fclose(f) || bad ? -1 : 0;
}

static int write_text(struct gen *g, void (*fn)(struct gen *), const char *path)
{
	struct buf b MW_CLEANUP(buf_free) = {0};

	g->out = &b;
	fn(g);
	if (g->failed || buf_error(&b) || write_file(path, &b) < 0) {
		fprintf(stderr, "mapiwire-idl: %s cannot be written\n", path);
		return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
	struct gen g = {.arena = arena};
	struct idl_error error;
	size_t len;

	if (argc != 4 || !arena) {
		fprintf(stderr, "usage: mapiwire-idl FILE.idl FILE.h FILE.c\n");
		return 2;
	}
	const struct idl_loader loader = {.import = import, .user = argv[1]};
	const char *text = read_file(arena, argv[1], &len), *slash = strrchr(argv[1], '/');
	if (!text) {
		fprintf(stderr, "mapiwire-idl: %s cannot be read\n", argv[1]);
		return 1;
	}
	if (idl_parse_unit(arena, slash ? slash + 1 : argv[1], text, len, &loader, true, &g.unit, &error) < 0) {
		fprintf(stderr, "%s\n", error.message);
		return 1;
	}
	idl_gen_reach(&g);
	return write_text(&g, idl_gen_header, argv[2]) || write_text(&g, idl_gen_source, argv[3]);
}
