/*
 * XML from a stranger: a POX or SOAP request, which is answered, or the answer that a client gets. The first byte says
 * which. Every answer of ours is well-formed.
 */
#include "fuzz.h"

#include "http/autodiscover.h"
#include "http/xml.h"

#include <string.h>

static int find(void *user, const char *subject, struct autodiscover_user *out)
{
	(void)user;
	*out = (struct autodiscover_user){.name = subject, .dn = subject, .address = subject};
	if (strlen(subject) % 3 == 1)
		out->redirect_address = subject;
	return strlen(subject) % 3 == 2 ? MW_E_NOTFOUND : 0;
}

static const struct autodiscover_site site = {
        .host = "h",
        .https_port = 1,
        .tcp = true,
        .organisation = "o",
        .server_name = "s",
        .mail_domain = "d",
        .version = "15.0.1497.0",
        .find = find,
};

static void answer(struct arena *arena, bool soap, const uint8_t *data, size_t size)
{
	struct buf MW_CLEANUP(buf_free) out = {0};
	struct autodiscover_request request;
	struct xml_element *root;
	const char *why = NULL;
	int r = autodiscover_read(arena, soap, data, size, &request, &why);
	if (r == MW_E_NOMEM)
		return;
	if (r == 0)
		autodiscover_answer(&request, &site, true, 1, &out);
	else
		autodiscover_refuse(soap, r, why, 1, &out);
	must(r == 0 || why != NULL);
	/* Of a request with many names the answer has more elements than may be read. */
	r = xml_read(arena, out.data, out.len, SIZE_MAX, &root, &why);
	must(r == 0 || r == MW_E_LIMIT || r == MW_E_NOMEM);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	MW_CLEANUP(arena_cleanup) struct arena *arena = arena_new(64 << 20);
	struct autodiscover_found found;
	const char *why = NULL;
	autodiscover_init();
	if (!arena || size == 0)
		return 0;
	if (data[0] % 3 < 2) {
		answer(arena, data[0] % 3, data + 1, size - 1);
	} else if (autodiscover_read_answer(arena, data + 1, size - 1, &found, &why) == 0) {
		for (unsigned i = 0; i < found.protocol_count; i++)
			must(found.protocols[i].type != NULL);
	}
	return 0;
}
