#include "lens/context-private.h"

/* What a message of another protocol says, in a few words; the same in a stream and in a datagram. */

/* ---- Kerberos, RFC 4120 5.4, 5.9.1 and 7.2.2 ---- */

static const char *kerberos_name(uint8_t tag)
{
	switch (tag) {
	case 0x6A:
		return "Kerberos AS-REQ";
	case 0x6B:
		return "Kerberos AS-REP";
	case 0x6C:
		return "Kerberos TGS-REQ";
	case 0x6D:
		return "Kerberos TGS-REP";
	case 0x7E:
		return "KRB-ERROR";
	}
	return NULL;
}

const char *lens_kerberos_words(const uint8_t *data, size_t len)
{
	return len > 4 ? kerberos_name(data[0]) : NULL;
}

/* DER: what an element of that tag holds. */
bool lens_der_element(struct cursor *in, uint8_t *tag, struct cursor *value)
{
	uint8_t first, byte;
	size_t n;
	if (cursor_u8(in, tag) < 0 || cursor_u8(in, &first) < 0)
		return false;
	n = first;
	if (first & 0x80) {
		n = 0;
		if ((first & 0x7F) > 3)
			return false;
		for (unsigned i = 0; i < (first & 0x7Fu); i++) {
			if (cursor_u8(in, &byte) < 0)
				return false;
			n = n << 8 | byte;
		}
	}
	return cursor_child(in, n, value) == 0;
}

/* KRB-ERROR's error-code [6]; -1: not found. */
static int error_code(const uint8_t *data, size_t len)
{
	struct cursor c = lens_network(data, len), error, sequence, value, number;
	uint8_t tag, code;
	if (!lens_der_element(&c, &tag, &error) || !lens_der_element(&error, &tag, &sequence))
		return -1;
	while (lens_der_element(&sequence, &tag, &value))
		if (tag == 0xA6)
			return lens_der_element(&value, &tag, &number) && cursor_u8(&number, &code) == 0 ? code : -1;
	return -1;
}

/* Behind a tag of that number, what stands in it. */
static bool find_tag(struct cursor *sequence, uint8_t wanted, struct cursor *value)
{
	uint8_t tag;
	while (lens_der_element(sequence, &tag, value))
		if (tag == wanted)
			return true;
	return false;
}

/* KRB-ERROR's sname [10], RFC 4120 5.2.2: "cifs/mail"; "" where there is none. */
static const char *service_name(struct arena *a, const uint8_t *data, size_t len)
{
	struct cursor c = lens_network(data, len), error, sequence, name, parts, strings, part;
	const char *text = "";
	uint8_t tag;
	if (!lens_der_element(&c, &tag, &error) || !lens_der_element(&error, &tag, &sequence) ||
	    !find_tag(&sequence, 0xAA, &name) || !lens_der_element(&name, &tag, &parts) ||
	    !find_tag(&parts, 0xA1, &strings) || !lens_der_element(&strings, &tag, &parts))
		return text;
	while (text && strlen(text) < NAME_MAX_SHOWN && lens_der_element(&parts, &tag, &part))
		text = arena_printf(a, "%s%s%.*s", text, *text ? "/" : "", (int)cursor_left(&part),
		                    (const char *)cursor_here(&part));
	return text ? text : "";
}

static const char *error_words(struct arena *a, int code)
{
	static const struct {
		uint8_t code;
		const char *name;
	} names[] = {
	        {6, "KDC_ERR_C_PRINCIPAL_UNKNOWN"}, {7, "KDC_ERR_S_PRINCIPAL_UNKNOWN"}, {14, "KDC_ERR_ETYPE_NOSUPP"},
	        {18, "KDC_ERR_CLIENT_REVOKED"},     {23, "KDC_ERR_KEY_EXPIRED"},        {24, "KDC_ERR_PREAUTH_FAILED"},
	        {25, "KDC_ERR_PREAUTH_REQUIRED"},   {32, "KRB_AP_ERR_TKT_EXPIRED"},     {37, "KRB_AP_ERR_SKEW"},
	        {41, "KRB_AP_ERR_MODIFIED"},        {52, "KRB_ERR_RESPONSE_TOO_BIG"},   {68, "KDC_ERR_WRONG_REALM"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].code == code)
			return names[i].name;
	return arena_printf(a, "error %d", code);
}

static const char *error_sentence(struct arena *a, const char *status, const char *service)
{
	bool names = *service && strcmp(status, "KDC_ERR_S_PRINCIPAL_UNKNOWN") == 0;
	return arena_printf(a, "KRB-ERROR: %s%s%s", status, names ? " for " : "", names ? service : "");
}

const char *lens_kerberos_answer(struct arena *a, const uint8_t *data, size_t len, const char **status)
{
	const char *s = lens_kerberos_words(data, len);
	if (s && data[0] == 0x7E && (*status = error_words(a, error_code(data, len))))
		s = error_sentence(a, *status, service_name(a, data, len));
	/* Each logon begins so: the client learns what the proof is to be made with. */
	if (*status && strcmp(*status, "KDC_ERR_PREAUTH_REQUIRED") == 0)
		*status = NULL;
	return s;
}

/* ---- LDAP, RFC 4511 4.1.1 ---- */

const char *lens_ldap_words(const uint8_t *data, size_t len)
{
	struct cursor c = lens_network(data, len);
	uint8_t tag, size, op;
	if (cursor_u8(&c, &tag) < 0 || tag != 0x30 || cursor_u8(&c, &size) < 0 ||
	    (size & 0x80 && ((size & 0x7F) > 4 || cursor_skip(&c, size & 0x7F) < 0)) || cursor_u8(&c, &tag) < 0 ||
	    tag != 0x02 || cursor_u8(&c, &size) < 0 || size > 4 || cursor_skip(&c, size) < 0 || cursor_u8(&c, &op) < 0)
		return NULL;
	switch (op) {
	case 0x60:
		return "LDAP bind";
	case 0x63:
		return "LDAP search";
	case 0x77:
		return "LDAP extended operation";
	}
	return NULL;
}

/* ---- DNS, RFC 1035 4.1 ---- */

const char *lens_dns_query(struct arena *a, const uint8_t *data, size_t len)
{
	struct cursor c = lens_network(data, len);
	char name[NAME_MAX_SHOWN + 1];
	size_t n = 0;
	uint8_t label;
	if (len < 12 || data[2] & 0x80 || cursor_skip(&c, 12) < 0)
		return NULL;
	while (cursor_u8(&c, &label) == 0 && label != 0) {
		if (label > 63 || n + label + 1 > sizeof name - 1 || cursor_left(&c) < label)
			return NULL;
		if (n)
			name[n++] = '.';
		if (cursor_copy(&c, name + n, label) < 0)
			return NULL;
		n += label;
	}
	name[n] = 0;
	return arena_printf(a, "DNS query for %s", name);
}
