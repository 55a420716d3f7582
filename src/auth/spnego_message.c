#include "auth/spnego_message.h"

#include "auth/der.h"

/* X.690: universal tags, [APPLICATION 0] of the GSS frame (RFC 2743 3.1), context tags. */
enum {
	DER_OCTET_STRING = 0x04,
	DER_OID = 0x06,
	DER_ENUMERATED = 0x0a,
	DER_SEQUENCE = 0x30,
	DER_GSS_FRAME = 0x60,
	DER_CONTEXT = 0xa0, /* + the field's number */
};

static const uint8_t oid_spnego[] = {0x2b, 6, 1, 5, 5, 2};
static const uint8_t oid_krb5[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 1, 2, 2};
static const uint8_t oid_ms_krb5[] = {0x2a, 0x86, 0x48, 0x82, 0xf7, 0x12, 1, 2, 2};
static const uint8_t oid_ntlm[] = {0x2b, 6, 1, 4, 1, 0x82, 0x37, 2, 2, 10};

static const struct {
	enum spnego_mech mech;
	struct spnego_bytes oid;
} mech_oids[] = {
        {SPNEGO_KRB5, {oid_krb5, sizeof oid_krb5}},
        {SPNEGO_MS_KRB5, {oid_ms_krb5, sizeof oid_ms_krb5}},
        {SPNEGO_NTLM, {oid_ntlm, sizeof oid_ntlm}},
};

/* ---- Reading ---- */

static struct spnego_bytes rest_of(const struct cursor *c)
{
	return (struct spnego_bytes){cursor_here(c), cursor_left(c)};
}

static bool is_oid(const struct cursor *c, struct spnego_bytes oid)
{
	return cursor_left(c) == oid.len && memcmp(cursor_here(c), oid.data, oid.len) == 0;
}

static enum spnego_mech mech_of(const struct cursor *oid)
{
	for (size_t i = 0; i < ARRAY_SIZE(mech_oids); i++)
		if (is_oid(oid, mech_oids[i].oid))
			return mech_oids[i].mech;
	return SPNEGO_OTHER;
}

static int take_mechs(struct cursor field, struct spnego_token *out)
{
	struct cursor list, oid;
	out->mech_list = rest_of(&field);
	int r = der_take_tagged(&field, DER_SEQUENCE, &list);
	if (r < 0)
		return r;
	if (cursor_left(&field) > 0 || cursor_left(&list) == 0)
		return MW_E_MALFORMED;
	while (cursor_left(&list) > 0) {
		if ((r = der_take_tagged(&list, DER_OID, &oid)) < 0)
			return r;
		if (out->mech_count < SPNEGO_MAX_MECHS)
			out->mechs[out->mech_count++] = mech_of(&oid);
	}
	return 0;
}

static int take_octets(struct cursor field, struct spnego_bytes *out)
{
	struct cursor content;
	int r = der_take_tagged(&field, DER_OCTET_STRING, &content);
	if (r < 0)
		return r;
	*out = rest_of(&content);
	return 0;
}

/* In NegTokenInit2 negHints takes the place of mechListMIC, which moves to 4; MS-SPNG 2.2.1. */
static int take_mic_or_hints(struct cursor field, struct spnego_token *out)
{
	if (cursor_left(&field) > 0 && *cursor_here(&field) == DER_SEQUENCE)
		return 0;
	return take_octets(field, &out->mic);
}

static int take_init_field(unsigned number, struct cursor field, struct spnego_token *out)
{
	switch (number) {
	case 0:
		return take_mechs(field, out);
	case 2:
		return take_octets(field, &out->token);
	case 3:
		return take_mic_or_hints(field, out);
	case 4:
		return take_octets(field, &out->mic);
	default:
		return 0;
	}
}

static int take_state(struct cursor field, struct spnego_token *out)
{
	struct cursor content;
	uint8_t value;
	int r;
	if ((r = der_take_tagged(&field, DER_ENUMERATED, &content)) < 0 || (r = cursor_u8(&content, &value)) < 0)
		return r;
	if (cursor_left(&content) > 0 || value > SPNEGO_REQUEST_MIC)
		return MW_E_MALFORMED;
	out->state = (enum spnego_state)value;
	return 0;
}

static int take_mech(struct cursor field, struct spnego_token *out)
{
	struct cursor oid;
	int r = der_take_tagged(&field, DER_OID, &oid);
	if (r < 0)
		return r;
	out->mech = mech_of(&oid);
	return 0;
}

static int take_resp_field(unsigned number, struct cursor field, struct spnego_token *out)
{
	switch (number) {
	case 0:
		return take_state(field, out);
	case 1:
		return take_mech(field, out);
	case 2:
		return take_octets(field, &out->token);
	case 3:
		return take_octets(field, &out->mic);
	default:
		return 0;
	}
}

/* The fields of a SEQUENCE, each at most once and in their order. */
static int take_fields(struct cursor in, struct spnego_token *out)
{
	struct cursor fields, field;
	uint8_t tag, least = DER_CONTEXT;
	int r = der_take_tagged(&in, DER_SEQUENCE, &fields);
	if (r < 0)
		return r;
	while (cursor_left(&fields) > 0) {
		if ((r = der_take(&fields, &tag, &field)) < 0)
			return r;
		if (tag < least)
			return MW_E_MALFORMED;
		least = (uint8_t)(tag + 1);
		unsigned number = tag - DER_CONTEXT;
		r = out->is_init ? take_init_field(number, field, out) : take_resp_field(number, field, out);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The first token stands in the frame of RFC 2743 3.1. */
static int open_frame(struct cursor *in, struct spnego_bytes mech)
{
	struct cursor frame, oid;
	int r;
	if ((r = der_take_tagged(in, DER_GSS_FRAME, &frame)) < 0 || (r = der_take_tagged(&frame, DER_OID, &oid)) < 0)
		return r;
	if (!is_oid(&oid, mech))
		return MW_E_MALFORMED;
	*in = frame;
	return 0;
}

struct cursor spnego_unframe_krb5(struct cursor token)
{
	struct cursor in = token;
	uint16_t type; /* TOK_ID, RFC 4121 4.1; big-endian 0100 */
	if (open_frame(&in, (struct spnego_bytes){oid_krb5, sizeof oid_krb5}) < 0 || cursor_u16(&in, &type) < 0)
		return token;
	return type == 0x0001 ? in : token;
}

int spnego_parse(struct cursor in, struct spnego_token *out)
{
	struct spnego_token t = {.state = SPNEGO_STATE_ABSENT};
	struct cursor fields;
	uint8_t tag;
	int r = 0;
	if (cursor_left(&in) > 0 && *cursor_here(&in) == DER_GSS_FRAME)
		r = open_frame(&in, (struct spnego_bytes){oid_spnego, sizeof oid_spnego});
	if (r < 0 || (r = der_take(&in, &tag, &fields)) < 0)
		return r;
	if (tag != DER_CONTEXT && tag != DER_CONTEXT + 1)
		return MW_E_MALFORMED;
	t.is_init = tag == DER_CONTEXT;
	if ((r = take_fields(fields, &t)) < 0)
		return r;
	if (t.is_init && t.mech_count == 0)
		return MW_E_MALFORMED;
	*out = t;
	return 0;
}

/* ---- Writing ---- */

static void put_element(struct buf *out, uint8_t tag, struct spnego_bytes content)
{
	buf_put_u8(out, tag);
	if (content.len < 0x80) {
		buf_put_u8(out, (uint8_t)content.len);
	} else if (content.len < 0x100) {
		buf_put_u8(out, 0x81);
		buf_put_u8(out, (uint8_t)content.len);
	} else if (content.len < 0x10000) {
		buf_put_u8(out, 0x82);
		buf_put_u16be(out, (uint16_t)content.len);
	} else {
		buf_put_u8(out, 0x84);
		buf_put_u32be(out, (uint32_t)content.len);
	}
	buf_put(out, content.data, content.len);
}

static struct spnego_bytes all_of(const struct buf *b)
{
	return (struct spnego_bytes){b->data, b->len};
}

/* Field number of an element that stands in it alone. */
static void put_field(struct buf *out, unsigned number, uint8_t tag, struct spnego_bytes content)
{
	struct buf MW_CLEANUP(buf_free) inner = {0};
	if (content.data == NULL)
		return;
	put_element(&inner, tag, content);
	put_element(out, (uint8_t)(DER_CONTEXT + number), all_of(&inner));
}

static struct spnego_bytes oid_of(enum spnego_mech mech)
{
	for (size_t i = 0; i < ARRAY_SIZE(mech_oids); i++)
		if (mech_oids[i].mech == mech)
			return mech_oids[i].oid;
	return (struct spnego_bytes){0};
}

int spnego_put_mechs(const enum spnego_mech *mechs, size_t count, struct buf *out)
{
	struct buf MW_CLEANUP(buf_free) list = {0};
	for (size_t i = 0; i < count; i++)
		put_element(&list, DER_OID, oid_of(mechs[i]));
	put_element(out, DER_SEQUENCE, all_of(&list));
	return buf_error(&list) < 0 ? buf_error(&list) : buf_error(out);
}

static void put_fields(const struct spnego_token *t, struct buf *out)
{
	uint8_t state = (uint8_t)t->state;
	if (t->is_init) {
		put_element(out, DER_CONTEXT, t->mech_list);
	} else {
		if (t->state != SPNEGO_STATE_ABSENT)
			put_field(out, 0, DER_ENUMERATED, (struct spnego_bytes){&state, 1});
		put_field(out, 1, DER_OID, oid_of(t->mech));
	}
	put_field(out, 2, DER_OCTET_STRING, t->token);
	put_field(out, 3, DER_OCTET_STRING, t->mic);
}

int spnego_build(const struct spnego_token *t, struct buf *out)
{
	struct buf MW_CLEANUP(buf_free) fields = {0}, sequence = {0}, frame = {0};
	put_fields(t, &fields);
	put_element(&sequence, DER_SEQUENCE, all_of(&fields));
	if (t->is_init) {
		put_element(&frame, DER_OID, (struct spnego_bytes){oid_spnego, sizeof oid_spnego});
		put_element(&frame, DER_CONTEXT, all_of(&sequence));
	}
	if (buf_error(&fields) < 0 || buf_error(&sequence) < 0 || buf_error(&frame) < 0)
		return MW_E_NOMEM;
	if (t->is_init)
		put_element(out, DER_GSS_FRAME, all_of(&frame));
	else
		put_element(out, DER_CONTEXT + 1, all_of(&sequence));
	return buf_error(out);
}
