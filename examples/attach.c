/*
 * Keeps a file as an attachment of a new message in the inbox and reads it back, piece by piece, with libmapiwire.
 *
 *     cc -o attach attach.c -lmapiwire
 *     attach HOST MAPPER-PORT DOMAIN USER PASSWORD FILE > COPY
 */
#include <mapiwire.h>

#include <stdio.h>
#include <stdlib.h>

#define DN_TAG 0x3003001Fu          /* PidTagEmailAddress */
#define SUBJECT_TAG 0x0037001Fu     /* PidTagSubject */
#define ATTACH_METHOD 0x37050003u   /* PidTagAttachMethod */
#define ATTACH_FILENAME 0x3707001Fu /* PidTagAttachLongFilename */
#define ATTACH_NUMBER 0x0E210003u   /* PidTagAttachNumber */
#define ATTACH_DATA 0x37010102u     /* PidTagAttachDataBinary */

static int port_of(struct mapiwire *m, const char *name, uint16_t *port)
{
	struct mapiwire_interface interface;
	int r = mapiwire_interface_named(name, &interface);
	return r < 0 ? r : mapiwire_map(m, &interface, port);
}

static int open_store(struct mapiwire *m, const char *user, struct mapiwire_store **store)
{
	const uint32_t tags[] = {DN_TAG};
	struct mapiwire_book *book = NULL;
	struct mapiwire_rows rows = {0};
	uint16_t nspi = 0, port = 0;
	int r = port_of(m, "nspi", &nspi);
	if (r == 0)
		r = port_of(m, "store", &port);
	if (r == 0)
		r = mapiwire_book_open(m, nspi, &book);
	if (r == 0)
		r = mapiwire_book_resolve(book, user, tags, 1, &rows);
	if (r == 0) {
		const struct mapiwire_value *dn = mapiwire_row_find(&rows, 0, DN_TAG);
		r = dn ? mapiwire_store_open(m, port, dn->text, store) : MAPIWIRE_E_NOTFOUND;
		mapiwire_rows_free(&rows);
	}
	mapiwire_book_close(&book);
	return r;
}

static int put(struct mapiwire_message *message, FILE *file)
{
	const struct mapiwire_value values[] = {{.tag = ATTACH_METHOD, .integer = 1},
	                                        {.tag = ATTACH_FILENAME, .text = "file"}};
	struct mapiwire_attachment *a = NULL;
	struct mapiwire_stream *stream = NULL;
	char piece[65536];
	size_t n;
	int r = mapiwire_attachment_create(message, &a);
	if (r == 0)
		r = mapiwire_attachment_set(a, values, 2);
	if (r == 0)
		r = mapiwire_attachment_stream(a, ATTACH_DATA, true, &stream, NULL);
	while (r == 0 && (n = fread(piece, 1, sizeof piece, file)) > 0)
		r = mapiwire_stream_write(stream, piece, n);
	if (r == 0)
		r = mapiwire_stream_commit(stream);
	mapiwire_stream_close(&stream);
	if (r == 0)
		r = mapiwire_attachment_commit(a);
	mapiwire_attachment_close(&a);
	return r;
}

static int get(struct mapiwire_message *message)
{
	const uint32_t tags[] = {ATTACH_NUMBER};
	struct mapiwire_rows rows = {0};
	struct mapiwire_attachment *a = NULL;
	struct mapiwire_stream *stream = NULL;
	char piece[65536];
	size_t got = 1;
	int r = mapiwire_message_attachments(message, tags, 1, &rows);
	if (r == 0 && rows.count != 1)
		r = MAPIWIRE_E_NOTFOUND;
	if (r == 0)
		r = mapiwire_attachment_open(message, (uint32_t)rows.values[0].integer, &a);
	if (r == 0)
		r = mapiwire_attachment_stream(a, ATTACH_DATA, false, &stream, NULL);
	while (r == 0 && got > 0 && (r = mapiwire_stream_read(stream, piece, sizeof piece, &got)) == 0)
		fwrite(piece, 1, got, stdout);
	mapiwire_stream_close(&stream);
	mapiwire_attachment_close(&a);
	mapiwire_rows_free(&rows);
	return r;
}

static int keep(struct mapiwire_store *store, FILE *file)
{
	const struct mapiwire_value subject = {.tag = SUBJECT_TAG, .text = "A file"};
	struct mapiwire_message *message = NULL;
	uint64_t inbox = 0, id = 0;
	int r = mapiwire_folder_find(store, "inbox", &inbox);
	if (r == 0)
		r = mapiwire_message_create(store, inbox, &message);
	if (r == 0)
		r = mapiwire_message_set(message, &subject, 1);
	if (r == 0)
		r = put(message, file);
	if (r == 0)
		r = mapiwire_message_commit(message, &id);
	mapiwire_message_close(&message);
	if (r == 0)
		r = mapiwire_message_open(store, inbox, id, &message);
	if (r == 0)
		r = get(message);
	mapiwire_message_close(&message);
	return r;
}

int main(int argc, char **argv)
{
	struct mapiwire_store *store = NULL;
	struct mapiwire *m = NULL;
	FILE *file = argc == 7 ? fopen(argv[6], "rb") : NULL;
	if (!file)
		return fprintf(stderr, "usage: attach HOST MAPPER-PORT DOMAIN USER PASSWORD FILE\n"), 1;
	const struct mapiwire_options o = {.host = argv[1],
	                                   .mapper_port = (uint16_t)strtoul(argv[2], NULL, 10),
	                                   .domain = argv[3],
	                                   .user = argv[4],
	                                   .password = argv[5]};
	int r = mapiwire_new(&o, &m);
	if (r == 0)
		r = open_store(m, argv[4], &store);
	if (r == 0)
		r = keep(store, file);
	if (r != 0 && m)
		fprintf(stderr, "%s\n", mapiwire_error(m)->sentence);
	mapiwire_store_close(&store);
	mapiwire_free(&m);
	fclose(file);
	return r != 0;
}
