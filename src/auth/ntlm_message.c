#include "auth/ntlm_message.h"

static const uint8_t ntlm_signature[8] = {'N', 'T', 'L', 'M', 'S', 'S', 'P', 0};

/* Offsets in a message count from its first byte, whatever the cursor came from. */
static struct cursor rest_of(const struct cursor *in)
{
	return cursor_left(in) > 0 ? cursor_of(cursor_here(in), cursor_left(in)) : cursor_of("", 0);
}

static int read_header(struct cursor *c, uint32_t *type)
{
	const uint8_t *signature;
	if (cursor_bytes(c, sizeof ntlm_signature, &signature) < 0)
		return MW_E_TRUNCATED;
	if (memcmp(signature, ntlm_signature, sizeof ntlm_signature) != 0)
		return MW_E_MALFORMED;
	return cursor_u32(c, type);
}

static int expect_header(struct cursor *c, enum ntlm_type type)
{
	uint32_t found;
	int r = read_header(c, &found);
	if (r < 0)
		return r;
	return found == (uint32_t)type ? 0 : MW_E_MALFORMED;
}

int ntlm_message_type(struct cursor token, enum ntlm_type *out)
{
	uint32_t type;
	int r = read_header(&token, &type);
	if (r < 0)
		return r;
	if (type < NTLM_NEGOTIATE || type > NTLM_AUTHENTICATE)
		return MW_E_MALFORMED;
	*out = (enum ntlm_type)type;
	return 0;
}

/*
 * Len, MaxLen and BufferOffset of a payload field. *first becomes the lowest
 * offset of a field that is not empty: there the fixed part must have ended.
 */
static int read_field(struct cursor *c, struct ntlm_bytes *out, size_t *first)
{
	uint16_t len, max_len;
	uint32_t offset;
	if (cursor_u16(c, &len) < 0 || cursor_u16(c, &max_len) < 0 || cursor_u32(c, &offset) < 0)
		return MW_E_TRUNCATED;
	*out = (struct ntlm_bytes){c->data, 0};
	if (len == 0)
		return 0;
	if (offset > c->len || len > c->len - offset)
		return MW_E_TRUNCATED;
	*out = (struct ntlm_bytes){c->data + offset, len};
	if (offset < *first)
		*first = offset;
	return 0;
}

/* Fields may not overlap the fixed part that was read. */
static int check_first(const struct cursor *c, size_t first)
{
	return first < c->pos ? MW_E_MALFORMED : 0;
}

/* An optional part of the header is there when it ends before the payload begins. */
static bool read_optional(struct cursor *c, size_t first, uint8_t *out, size_t n)
{
	if (c->pos > first || n > first - c->pos)
		return false;
	return cursor_copy(c, out, n) == 0;
}

static int put_header(struct buf *out, enum ntlm_type type)
{
	buf_put(out, ntlm_signature, sizeof ntlm_signature);
	return buf_put_u32(out, type);
}

static void put_field(struct buf *out, struct ntlm_bytes field, size_t *offset)
{
	if (field.len > UINT16_MAX) {
		if (out->error == 0)
			out->error = MW_E_LIMIT;
		return;
	}
	buf_put_u16(out, (uint16_t)field.len);
	buf_put_u16(out, (uint16_t)field.len);
	buf_put_u32(out, (uint32_t)*offset);
	*offset += field.len;
}

/* ---- NEGOTIATE_MESSAGE, 2.2.1.1 ---- */

int ntlm_negotiate_parse(struct cursor in, struct ntlm_negotiate *out)
{
	struct cursor c = rest_of(&in);
	struct ntlm_negotiate m = {0};
	int r = expect_header(&c, NTLM_NEGOTIATE);
	if (r < 0)
		return r;
	if (cursor_u32(&c, &m.flags) < 0)
		return MW_E_TRUNCATED;
	size_t first = c.len;
	/* Old clients end after the flags. */
	if (cursor_left(&c) > 0) {
		if ((r = read_field(&c, &m.domain, &first)) < 0 || (r = read_field(&c, &m.workstation, &first)) < 0)
			return r;
		if (m.flags & NTLMSSP_NEGOTIATE_VERSION && !read_optional(&c, first, m.version, sizeof m.version))
			return MW_E_TRUNCATED;
	}
	if ((r = check_first(&c, first)) < 0)
		return r;
	*out = m;
	return 0;
}

int ntlm_negotiate_build(const struct ntlm_negotiate *m, struct buf *out)
{
	size_t offset = 40;
	put_header(out, NTLM_NEGOTIATE);
	buf_put_u32(out, m->flags);
	put_field(out, m->domain, &offset);
	put_field(out, m->workstation, &offset);
	buf_put(out, m->version, sizeof m->version);
	buf_put(out, m->domain.data, m->domain.len);
	buf_put(out, m->workstation.data, m->workstation.len);
	return buf_error(out);
}

/* ---- CHALLENGE_MESSAGE, 2.2.1.2 ---- */

int ntlm_challenge_parse(struct cursor in, struct ntlm_challenge *out)
{
	struct cursor c = rest_of(&in);
	struct ntlm_challenge m = {0};
	size_t first = c.len;
	int r = expect_header(&c, NTLM_CHALLENGE);
	if (r < 0)
		return r;
	if ((r = read_field(&c, &m.target_name, &first)) < 0)
		return r;
	if (cursor_u32(&c, &m.flags) < 0 || cursor_copy(&c, m.server_challenge, sizeof m.server_challenge) < 0)
		return MW_E_TRUNCATED;
	if (m.flags & NTLMSSP_NEGOTIATE_TARGET_INFO) {
		if (cursor_skip(&c, 8) < 0)
			return MW_E_TRUNCATED;
		if ((r = read_field(&c, &m.target_info, &first)) < 0)
			return r;
	} else {
		uint8_t reserved[16];
		(void)read_optional(&c, first, reserved, sizeof reserved);
	}
	(void)read_optional(&c, first, m.version, sizeof m.version);
	if ((r = check_first(&c, first)) < 0)
		return r;
	*out = m;
	return 0;
}

int ntlm_challenge_build(const struct ntlm_challenge *m, struct buf *out)
{
	size_t offset = 56;
	put_header(out, NTLM_CHALLENGE);
	put_field(out, m->target_name, &offset);
	buf_put_u32(out, m->flags);
	buf_put(out, m->server_challenge, sizeof m->server_challenge);
	buf_put_zero(out, 8);
	if (m->flags & NTLMSSP_NEGOTIATE_TARGET_INFO)
		put_field(out, m->target_info, &offset);
	else
		buf_put_zero(out, 8);
	buf_put(out, m->version, sizeof m->version);
	buf_put(out, m->target_name.data, m->target_name.len);
	if (m->flags & NTLMSSP_NEGOTIATE_TARGET_INFO)
		buf_put(out, m->target_info.data, m->target_info.len);
	return buf_error(out);
}

/* ---- AUTHENTICATE_MESSAGE, 2.2.1.3 ---- */

static int read_authenticate_fields(struct cursor *c, struct ntlm_authenticate *m, size_t *first)
{
	struct ntlm_bytes *fields[] = {&m->lm_response, &m->nt_response, &m->domain, &m->user, &m->workstation};
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		int r = read_field(c, fields[i], first);
		if (r < 0)
			return r;
	}
	return 0;
}

int ntlm_authenticate_parse(struct cursor in, struct ntlm_authenticate *out)
{
	struct cursor c = rest_of(&in);
	struct ntlm_authenticate m = {0};
	size_t first = c.len;
	int r = expect_header(&c, NTLM_AUTHENTICATE);
	if (r < 0)
		return r;
	if ((r = read_authenticate_fields(&c, &m, &first)) < 0)
		return r;
	/* Before NT 4 SP 3 the header ended here; after it come key and flags, then version, then MIC. */
	if (first >= c.pos + 12) {
		if ((r = read_field(&c, &m.session_key, &first)) < 0)
			return r;
		if (cursor_u32(&c, &m.flags) < 0)
			return MW_E_TRUNCATED;
		if (read_optional(&c, first, m.version, sizeof m.version))
			m.has_mic_field = read_optional(&c, first, m.mic, sizeof m.mic);
	}
	if ((r = check_first(&c, first)) < 0)
		return r;
	*out = m;
	return 0;
}

int ntlm_authenticate_build(const struct ntlm_authenticate *m, struct buf *out)
{
	size_t fixed = m->has_mic_field ? NTLM_MIC_OFFSET + 16 : NTLM_MIC_OFFSET;
	size_t domain = fixed, user = domain + m->domain.len, workstation = user + m->user.len;
	size_t lm = workstation + m->workstation.len, nt = lm + m->lm_response.len, key = nt + m->nt_response.len;
	put_header(out, NTLM_AUTHENTICATE);
	put_field(out, m->lm_response, &lm);
	put_field(out, m->nt_response, &nt);
	put_field(out, m->domain, &domain);
	put_field(out, m->user, &user);
	put_field(out, m->workstation, &workstation);
	put_field(out, m->session_key, &key);
	buf_put_u32(out, m->flags);
	buf_put(out, m->version, sizeof m->version);
	if (m->has_mic_field)
		buf_put(out, m->mic, sizeof m->mic);
	buf_put(out, m->domain.data, m->domain.len);
	buf_put(out, m->user.data, m->user.len);
	buf_put(out, m->workstation.data, m->workstation.len);
	buf_put(out, m->lm_response.data, m->lm_response.len);
	buf_put(out, m->nt_response.data, m->nt_response.len);
	buf_put(out, m->session_key.data, m->session_key.len);
	return buf_error(out);
}

/* ---- AV pairs, 2.2.2.1 ---- */

int ntlm_av_parse(struct ntlm_bytes in, struct ntlm_av *out)
{
	struct cursor c = cursor_of(in.data, in.len);
	struct ntlm_av av = {0};
	while (cursor_left(&c) > 0) {
		uint16_t id, len;
		const uint8_t *value;
		av.end = c.pos;
		if (cursor_u16(&c, &id) < 0 || cursor_u16(&c, &len) < 0 || cursor_bytes(&c, len, &value) < 0)
			return MW_E_TRUNCATED;
		if (id == MsvAvEOL) {
			*out = av;
			return 0;
		}
		if (id >= NTLM_AV_COUNT)
			continue;
		if (av.value[id].data != NULL)
			return MW_E_MALFORMED;
		av.value[id] = (struct ntlm_bytes){value, len};
	}
	if (in.len > 0)
		return MW_E_MALFORMED;
	*out = av;
	return 0;
}

int ntlm_av_put(struct buf *out, enum ntlm_av_id id, const void *value, size_t len)
{
	if (len > UINT16_MAX)
		return MW_E_LIMIT;
	buf_put_u16(out, (uint16_t)id);
	buf_put_u16(out, (uint16_t)len);
	buf_put(out, value, len);
	return buf_error(out);
}

uint32_t ntlm_av_flags(const struct ntlm_av *av)
{
	struct cursor c = cursor_of(av->value[MsvAvFlags].data, av->value[MsvAvFlags].len);
	uint32_t flags;
	return cursor_u32(&c, &flags) < 0 ? 0 : flags;
}

int ntlm_v2_response_parse(struct ntlm_bytes in, struct ntlm_v2_response *out)
{
	struct cursor c = cursor_of(in.data, in.len);
	struct ntlm_v2_response m = {0};
	uint8_t type, high;
	if (in.len < NTLM_V2_RESPONSE_MIN)
		return MW_E_TRUNCATED;
	if (cursor_bytes(&c, 16, &m.proof) < 0)
		return MW_E_TRUNCATED;
	m.temp = (struct ntlm_bytes){cursor_here(&c), cursor_left(&c)};
	if (cursor_u8(&c, &type) < 0 || cursor_u8(&c, &high) < 0 || cursor_skip(&c, 6 + 8) < 0 ||
	    cursor_copy(&c, m.client_challenge, sizeof m.client_challenge) < 0 || cursor_skip(&c, 4) < 0)
		return MW_E_TRUNCATED;
	if (type != 1 || high != 1)
		return MW_E_MALFORMED;
	int r = ntlm_av_parse((struct ntlm_bytes){cursor_here(&c), cursor_left(&c)}, &m.av);
	if (r < 0)
		return r;
	*out = m;
	return 0;
}
