#include "capture/reader-private.h"

#include "base/cursor.h"
#include "base/time.h"

#include <stdlib.h>

#define OPTION_END 0
#define OPTION_COMMENT 1
#define OPTION_TSRESOL 9
#define OPTION_TSOFFSET 14
#define NAMES_END 0

static struct cursor view(const struct capture_reader *r, const uint8_t *data, size_t len)
{
	struct cursor c = cursor_of(data, len);
	c.big_endian = r->swapped;
	return c;
}

/* Type, length and value, padded to four bytes: 1, or 0 at the end of the list. */
static int next_item(struct cursor *c, uint16_t *type, struct cursor *value)
{
	uint16_t len;
	if (cursor_u16(c, type) < 0 || cursor_u16(c, &len) < 0)
		return 0;
	if (cursor_child(c, len, value) < 0)
		return MW_E_MALFORMED;
	size_t pad = -(size_t)len & 3;
	c->pos += pad < cursor_left(c) ? pad : cursor_left(c);
	return 1;
}

static void set_resolution(struct capture_interface *i, uint8_t value)
{
	unsigned exponent = value & 0x7Fu;
	i->multiply = NS_PER_S;
	i->divide = 1;
	if (value & 0x80u) {
		i->divide = exponent < 63 ? UINT64_C(1) << exponent : UINT64_C(1) << 63;
		return;
	}
	for (; exponent && i->divide < UINT64_C(1000000000000000000); exponent--)
		i->divide *= 10;
	if (i->divide <= (uint64_t)NS_PER_S) {
		i->multiply = (uint64_t)NS_PER_S / i->divide;
		i->divide = 1;
	}
}

int64_t capture_ticks(const struct capture_interface *i, uint64_t ticks)
{
	unsigned __int128 ns = (unsigned __int128)ticks * i->multiply;
	if (i->divide != 1)
		ns /= i->divide;
	int64_t v = ns > INT64_MAX ? INT64_MAX : (int64_t)ns;
	int64_t sum;
	return __builtin_add_overflow(v, i->offset_ns, &sum) ? (i->offset_ns < 0 ? INT64_MIN : INT64_MAX) : sum;
}

static int read_options(struct cursor *c, struct capture_interface *i)
{
	uint16_t type;
	struct cursor value;
	int got;
	while ((got = next_item(c, &type, &value)) > 0 && type != OPTION_END) {
		uint8_t resolution;
		uint64_t offset;
		if (type == OPTION_TSRESOL && cursor_u8(&value, &resolution) == 0)
			set_resolution(i, resolution);
		if (type == OPTION_TSOFFSET && cursor_u64(&value, &offset) == 0 &&
		    __builtin_mul_overflow((int64_t)offset, NS_PER_S, &i->offset_ns))
			i->offset_ns = 0;
	}
	return got < 0 ? got : 0;
}

static int add_interface(struct capture_reader *r, const struct capture_interface *i)
{
	if (r->interface_count == CAPTURE_MAX_INTERFACES) {
		r->why = "it describes more than 65,536 interfaces";
		return MW_E_LIMIT;
	}
	if (r->interface_count == r->interface_cap) {
		size_t cap = r->interface_cap ? r->interface_cap * 2 : 4;
		struct capture_interface *more = realloc(r->interfaces, cap * sizeof *more);
		if (!more)
			return MW_E_NOMEM;
		r->interfaces = more;
		r->interface_cap = cap;
	}
	r->interfaces[r->interface_count++] = *i;
	return 0;
}

int capture_read_interface(struct capture_reader *r, const uint8_t *body, size_t len)
{
	struct cursor c = view(r, body, len);
	uint16_t linktype, reserved;
	struct capture_interface i = {.multiply = 1000, .divide = 1};
	if (cursor_u16(&c, &linktype) < 0 || cursor_u16(&c, &reserved) < 0 || cursor_u32(&c, &i.snaplen) < 0 ||
	    read_options(&c, &i) < 0) {
		r->why = "an interface's description is damaged";
		return MW_E_MALFORMED;
	}
	i.linktype = linktype;
	return add_interface(r, &i);
}

/* Beyond the ceiling the rest is passed over: frames matter more. */
static int add_extra(struct capture_reader *r, struct capture_extra e)
{
	size_t cost = e.len + sizeof e;
	if (cost > CAPTURE_MAX_EXTRA - r->extra_bytes)
		return 0;
	if (!r->arena && !(r->arena = arena_new(0)))
		return MW_E_NOMEM;
	if (r->extra_count == r->extra_cap) {
		size_t cap = r->extra_cap ? r->extra_cap * 2 : 8;
		struct capture_extra *more = realloc(r->extras, cap * sizeof *more);
		if (!more)
			return MW_E_NOMEM;
		r->extras = more;
		r->extra_cap = cap;
	}
	e.data = arena_copy(r->arena, e.data, e.len);
	if (!e.data)
		return MW_E_NOMEM;
	r->extra_bytes += cost;
	r->extras[r->extra_count++] = e;
	return 0;
}

int capture_read_secrets(struct capture_reader *r, const uint8_t *body, size_t len)
{
	struct cursor c = view(r, body, len);
	struct capture_extra e = {.kind = CAPTURE_SECRETS};
	uint32_t size;
	if (cursor_u32(&c, &e.type) < 0 || cursor_u32(&c, &size) < 0 || cursor_bytes(&c, size, &e.data) < 0) {
		r->why = "a secrets block is damaged";
		return MW_E_MALFORMED;
	}
	e.len = size;
	return add_extra(r, e);
}

int capture_read_names(struct capture_reader *r, const uint8_t *body, size_t len)
{
	struct cursor c = view(r, body, len), value;
	uint16_t type;
	int got;
	while ((got = next_item(&c, &type, &value)) > 0 && type != NAMES_END) {
		int bad = add_extra(r, (struct capture_extra){CAPTURE_NAMES, type, value.data, value.len});
		if (bad < 0)
			return bad;
	}
	if (got < 0)
		r->why = "a name block is damaged";
	return got < 0 ? got : 0;
}

int capture_read_comments(struct capture_reader *r, const uint8_t *data, size_t len, uint32_t frame)
{
	struct cursor c = view(r, data, len), value;
	uint16_t type;
	while (next_item(&c, &type, &value) > 0 && type != OPTION_END) {
		if (type != OPTION_COMMENT)
			continue;
		int bad = add_extra(r, (struct capture_extra){CAPTURE_COMMENT, frame, value.data, value.len});
		if (bad < 0)
			return bad;
	}
	return 0;
}

const struct capture_extra *capture_new_extra(struct capture_reader *r)
{
	if (r->parts)
		return capture_parts_new_extra(r);
	return r->extra_told < r->extra_count ? &r->extras[r->extra_told++] : NULL;
}

const struct capture_extra *capture_get_extra(const struct capture_reader *r, size_t index)
{
	if (r->parts)
		return capture_parts_extra(r, index);
	return index < r->extra_count ? &r->extras[index] : NULL;
}
