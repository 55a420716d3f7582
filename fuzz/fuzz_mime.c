/*
 * Mail from a stranger: its properties, its parts, and what is written of them again. The first byte chooses between a
 * message, RTF, packed RTF and HTML.
 */
#include "fuzz.h"

#include "mime/private.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int count(void *user, const void *data, size_t size)
{
	(void)data;
	*(size_t *)user += size;
	return 0;
}

static void look(const struct mime_message *m, int depth)
{
	must(depth <= MIME_MAX_EMBEDDED && m->attachment_count <= MIME_MAX_PARTS &&
	     m->recipient_count <= MIME_MAX_RECIPIENTS);
	for (size_t i = 0; i < m->value_count; i++)
		must(mapi_tag_type(m->values[i].tag) != PTYP_STRING || g_utf8_validate(m->values[i].text, -1, NULL));
	for (size_t i = 0; i < m->recipient_count; i++)
		must(g_utf8_validate(m->recipients[i].address, -1, NULL) &&
		     g_utf8_validate(m->recipients[i].name, -1, NULL));
	for (size_t i = 0; i < m->attachment_count; i++) {
		size_t size = 0;
		if (m->attachments[i].message)
			look(m->attachments[i].message, depth + 1);
		else
			must(mime_content(&m->attachments[i], count, &size) == 0);
	}
}

static void message(const uint8_t *data, size_t size)
{
	const struct mime_source source = {.data = data, .size = size, .fd = -1};
	struct mime_parsed *p = NULL;
	if (mime_parse(&source, &p) != 0)
		return;
	look(mime_parsed_message(p), 0);
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	must(fd >= 0 && mime_write(mime_parsed_message(p), fd, MIME_LF) == 0);
	mime_parsed_free(&p);
	/* What we write, we read. */
	must(mime_parse(&(struct mime_source){.fd = fd}, &p) == 0);
	mime_parsed_free(&p);
	close(fd);
}

static void rtf(const uint8_t *data, size_t size, bool packed)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new((size_t)64 << 20);
	char *unpacked = (char *)arena_copy(arena, data, size), *text = NULL;
	bool html;
	if (packed && mime_unpack_rtf(arena, data, size, &unpacked, &size) != 0)
		return;
	if (mime_text_of_rtf(arena, unpacked, size, &html, &text) == 0)
		must(g_utf8_validate(text, -1, NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool begun;
	if (!begun)
		mime_begin();
	begun = true;
	if (size == 0 || size > 65536)
		return 0;
	switch (data[0]) {
	case 'R':
		rtf(data + 1, size - 1, false);
		break;
	case 'P':
		rtf(data + 1, size - 1, true);
		break;
	case 'H': {
		struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new((size_t)64 << 20);
		must(mime_text_of_html(arena, (const char *)data + 1, size - 1) != NULL);
		break;
	}
	default:
		message(data, size);
	}
	return 0;
}
