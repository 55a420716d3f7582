#include "lens/smb-private.h"

#include <stdlib.h>

/* [MS-CIFS] 2.2.3.1, 2.2.4; NT_CREATE_ANDX, raw pipe writes and large reads as [MS-SMB] 2.2.4 has them. */

enum {
	CLOSE = 0x04,
	TRANSACTION = 0x25,
	TRANSACTION_SECONDARY = 0x26,
	OPEN_ANDX = 0x2D,
	READ_ANDX = 0x2E,
	WRITE_ANDX = 0x2F,
	SESSION_SETUP_ANDX = 0x73,
	TREE_CONNECT_ANDX = 0x75,
	NT_CREATE_ANDX = 0xA2,
	NO_ANDX = 0xFF,
};

#define FLAG_REPLY 0x80
#define FLAGS2_UNICODE 0x8000u
#define MAX_CHAIN 8
/* TRANSACTION's setup words for pipes, [MS-CIFS] 2.2.5 */
#define TRANSACT_NMPIPE 0x26
#define RAW_WRITE_NMPIPE 0x31
/* Write modes: a message begins, its length stands before it. */
#define WRITE_RAW_START 0x000Cu

#define STATUS_BUFFER_OVERFLOW 0x80000005u
#define DOS_MORE_DATA 0x00EA0001u /* ERRDOS, ERRmoredata */

struct head {
	uint32_t status;
	uint32_t tree;
	uint64_t id;
	bool wide;
};

/* One command of a chain: its parameter words, and the bytes behind them. */
struct block {
	struct cursor words, bytes;
	size_t bytes_at; /* in the message */
};

static uint16_t u16_at(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static uint64_t id_of(const uint8_t *p)
{
	return (uint64_t)u16_at(p + 30) | (uint64_t)u16_at(p + 26) << 16 | (uint64_t)u16_at(p + 24) << 32;
}

bool smb1_is_idle(struct lens_smb *s, const uint8_t *p, size_t len)
{
	(void)len;
	bool answer = p[9] & FLAG_REPLY;
	bool other = smb_share_of(s, u16_at(p + 24)) == SMB_OTHER;
	switch (p[4]) {
	case CLOSE:
	case SESSION_SETUP_ANDX:
	case TREE_CONNECT_ANDX:
		return false;
	case NT_CREATE_ANDX:
	case OPEN_ANDX:
	case TRANSACTION:
		return other;
	case TRANSACTION_SECONDARY:
	case WRITE_ANDX:
		return other || answer;
	case READ_ANDX:
		return other || (answer && !smb_asked(s, id_of(p)));
	}
	return true;
}

static struct smb_id file_id(uint16_t fid)
{
	struct smb_id id = {{(uint8_t)fid, (uint8_t)(fid >> 8)}};
	return id;
}

/* A word of the parameters, by its offset in bytes: 0 beyond them. */
static uint16_t word(const struct block *b, size_t at)
{
	struct cursor c = b->words;
	uint16_t v = 0;
	if (cursor_skip(&c, at) < 0 || cursor_u16(&c, &v) < 0)
		return 0;
	return v;
}

static bool read_block(const struct smb_message *m, size_t at, struct block *out)
{
	struct cursor c = cursor_of(m->data, m->len);
	uint8_t words;
	uint16_t count;
	if (cursor_skip(&c, at) < 0 || cursor_u8(&c, &words) < 0 ||
	    cursor_child(&c, (size_t)words * 2, &out->words) < 0 || cursor_u16(&c, &count) < 0)
		return false;
	out->bytes_at = c.pos;
	/* Large reads and writes count beyond 16 bits, and carry an offset of their own. */
	size_t n = count < cursor_left(&c) ? count : cursor_left(&c);
	return cursor_child(&c, n, &out->bytes) == 0;
}

/* What stands at offset in the message, as far as it is there. */
static void give(const struct smb_message *m, const struct head *h, const struct smb_id *id, size_t offset, size_t len)
{
	struct cursor c = cursor_of(m->data, m->len);
	if (cursor_skip(&c, offset) < 0)
		return;
	smb_data(m, id, h->tree, cursor_here(&c), len < cursor_left(&c) ? len : cursor_left(&c));
}

static char *read_name(const struct head *h, const struct block *b)
{
	struct cursor c = b->bytes;
	if (h->wide && (b->bytes_at & 1) && cursor_skip(&c, 1) < 0)
		return NULL;
	return smb_name(cursor_here(&c), cursor_left(&c), h->wide);
}

static void take_create(const struct smb_message *m, const struct head *h, uint8_t command, const struct block *b)
{
	if (!m->answer) {
		smb_ask(m->smb, h->id, SMB_CREATE, NULL, read_name(h, b));
		return;
	}
	struct smb_request *r = smb_asked(m->smb, h->id);
	if (!r || r->what != SMB_CREATE)
		return;
	struct smb_id id = file_id(word(b, command == NT_CREATE_ANDX ? 5 : 4));
	if (h->status == 0 && b->words.len >= 8)
		smb_opened(m->smb, &id, TAKE_PTR(r->name));
	smb_answered(r);
}

static void take_close(const struct smb_message *m, const struct head *h, const struct block *b)
{
	(void)h;
	struct smb_id id = file_id(word(b, 0));
	if (!m->answer && b->words.len >= 2)
		smb_closed(m->smb, &id);
}

static void take_write(const struct smb_message *m, const struct head *h, const struct block *b)
{
	if (m->answer || b->words.len < 24)
		return;
	struct smb_id id = file_id(word(b, 4));
	size_t len = (size_t)word(b, 18) << 16 | word(b, 20), offset = word(b, 22);
	if ((word(b, 14) & WRITE_RAW_START) == WRITE_RAW_START && len >= 2) {
		offset += 2;
		len -= 2;
	}
	give(m, h, &id, offset, len);
}

static bool has_data(uint32_t status)
{
	return status == 0 || status == STATUS_BUFFER_OVERFLOW || status == DOS_MORE_DATA;
}

static void take_read(const struct smb_message *m, const struct head *h, const struct block *b)
{
	struct smb_id id = file_id(word(b, 4));
	if (!m->answer) {
		smb_ask(m->smb, h->id, SMB_READ, &id, NULL);
		return;
	}
	struct smb_request *r = smb_asked(m->smb, h->id);
	if (!r)
		return;
	id = r->file;
	smb_answered(r);
	if (has_data(h->status) && b->words.len >= 16)
		give(m, h, &id, word(b, 12), (size_t)word(b, 14) << 16 | word(b, 10));
}

static void ask_transaction(const struct smb_message *m, const struct head *h, const struct block *b)
{
	uint16_t what = word(b, 28);
	struct smb_id id = file_id(word(b, 30));
	if (b->words.len < 32 || (what != TRANSACT_NMPIPE && what != RAW_WRITE_NMPIPE))
		return;
	smb_ask(m->smb, h->id, SMB_TRANSACT, &id, NULL);
	give(m, h, &id, word(b, 24), word(b, 22));
}

static void take_transaction(const struct smb_message *m, const struct head *h, const struct block *b)
{
	if (!m->answer) {
		ask_transaction(m, h, b);
		return;
	}
	struct smb_request *r = smb_asked(m->smb, h->id);
	if (!r || r->what != SMB_TRANSACT || b->words.len < 20) /* an interim answer asks for the secondary ones */
		return;
	struct smb_id id = r->file;
	uint32_t end = (uint32_t)word(b, 16) + word(b, 12);
	if (end >= word(b, 2) || !has_data(h->status))
		smb_answered(r);
	if (has_data(h->status))
		give(m, h, &id, word(b, 14), word(b, 12));
}

static void take_secondary(const struct smb_message *m, const struct head *h, const struct block *b)
{
	struct smb_request *r = smb_asked(m->smb, h->id);
	if (!m->answer && r && r->what == SMB_TRANSACT && b->words.len >= 16) {
		struct smb_id id = r->file;
		give(m, h, &id, word(b, 12), word(b, 10));
	}
}

/* The answer's first text is the service: "IPC", "A:", "LPT1:"; it is never wide. */
static void take_share(const struct smb_message *m, const struct head *h, const struct block *b)
{
	struct cursor c = b->bytes;
	char service[4] = "";
	if (!m->answer || h->status != 0 || cursor_copy(&c, service, 3) < 0)
		return;
	smb_learn_share(m->smb, h->tree, strcmp(service, "IPC") == 0 ? SMB_PIPES : SMB_OTHER);
}

static void take_command(const struct smb_message *m, const struct head *h, uint8_t command, const struct block *b)
{
	switch (command) {
	case NT_CREATE_ANDX:
	case OPEN_ANDX:
		take_create(m, h, command, b);
		break;
	case CLOSE:
		take_close(m, h, b);
		break;
	case READ_ANDX:
		take_read(m, h, b);
		break;
	case WRITE_ANDX:
		take_write(m, h, b);
		break;
	case TRANSACTION:
		take_transaction(m, h, b);
		break;
	case TRANSACTION_SECONDARY:
		take_secondary(m, h, b);
		break;
	case TREE_CONNECT_ANDX:
		take_share(m, h, b);
		break;
	}
}

static bool is_andx(uint8_t command)
{
	return command == OPEN_ANDX || command == READ_ANDX || command == WRITE_ANDX || command == SESSION_SETUP_ANDX ||
	       command == TREE_CONNECT_ANDX || command == NT_CREATE_ANDX;
}

void smb1_message(struct smb_message *m)
{
	const uint8_t *p = m->data;
	if (m->len < SMB_1_HEADER)
		return;
	struct head h = {
	        .status = (uint32_t)u16_at(p + 5) | (uint32_t)u16_at(p + 7) << 16,
	        .tree = u16_at(p + 24),
	        .id = id_of(p),
	        .wide = u16_at(p + 10) & FLAGS2_UNICODE,
	};
	m->answer = p[9] & FLAG_REPLY;
	uint8_t command = p[4];
	size_t at = SMB_1_HEADER, before = 0;
	for (int i = 0; i < MAX_CHAIN && at > before; i++) {
		struct block b;
		if (!read_block(m, at, &b))
			return;
		take_command(m, &h, command, &b);
		if (!is_andx(command) || b.words.len < 4)
			return;
		command = b.words.data[0];
		before = at;
		at = word(&b, 2);
		if (command == NO_ANDX)
			return;
	}
}
