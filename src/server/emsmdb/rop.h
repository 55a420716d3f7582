#ifndef MW_SERVER_EMSMDB_ROP_H
#define MW_SERVER_EMSMDB_ROP_H

#include "server/emsmdb/private.h"

struct store_mark;
struct execution;

/* ---- rop.c ---- */

/* One ROP: its request and its response, the structs that wire/rops.idl describes. */
struct rop_call {
	struct emsmdb_session *session;
	struct service_call *call;
	struct arena *arena;
	uint8_t id, logon;
	struct emsmdb_logon *on; /* the input object's; NULL: RopLogon */
	struct execution *execution;
	const struct idl_type *type; /* of the request */
	const void *request;
	void *response;           /* zeroed; RopId, index and ReturnValue are the caller's affair */
	struct emsmdb_object *in; /* of the kinds that the table asks for */
	uint32_t *handles;        /* the payload's table */
	unsigned handle_count;
	uint8_t out_index; /* where a new object's handle goes */
	size_t room;       /* bytes that the response may take */
	bool first;        /* nothing was answered before it: there will not be more room another time */
	size_t left;       /* set by what a chain may go on with: rows or bytes asked for and there, but not answered */
	uint64_t ticket;   /* of a commit that the response promises; 0: none */
	int64_t now;
	int64_t slice_ns;  /* when this slice began */
	void *state;       /* the ROP's own, from slice to slice */
	uint8_t answer_id; /* 0, or the RopId that the response has in place of the request's */
};

/* The ReturnValue. ecBufferTooSmall, when not the first: it has changed nothing and is handed back to the client. */
typedef uint32_t (*rop_fn)(struct rop_call *rop);
/* In place of a ReturnValue: the answer comes by rop_resume, after the ROP's function has returned and in whatever loop
 * has the call then. Until that the session runs nothing else. */
#define ROP_LATER 0x0FFFFFFFu
void rop_resume(struct rop_call *rop, uint32_t status);
/* What takes long goes on in slices, other calls between them: the ROP returns this, and the function runs in the next
 * round of the loop; so does what that returns. */
uint32_t rop_again(struct rop_call *rop, rop_fn go_on);
/* When the slice has lasted as long as one may: some milliseconds. Monotonic ns. */
int64_t rop_slice_end(const struct rop_call *rop);
/* A commit of another mailbox than the ROP's own that the answer promises; in that mailbox's loop. */
MW_NODISCARD int rop_promise_in(struct rop_call *rop, struct emsmdb_mailbox *m, uint64_t ticket);

struct rop_row {
	uint8_t id;
	uint8_t kinds; /* of the input object; 0: none is needed */
	rop_fn run;
	uint16_t needs; /* rights of which the caller has one where the ROP does something: rights.c; 0: none */
	uint16_t there; /* likewise at its destination */
	bool lists;     /* the table's list is made first, where it needs one */
};
#define ROP_OWNER 0x8000u /* the mailbox's owner */
extern const struct rop_row rop_rows[];
extern const unsigned rop_row_count;

/* Puts the object's handle where the request wants it. */
void rop_put_handle(struct rop_call *rop, const struct emsmdb_object *o);
/* The ROP error that stands for a store's failure. */
uint32_t rop_status(const struct rop_call *rop, int error);
/* The mailbox of the ROP's logon. */
static inline struct emsmdb_mailbox *rop_mailbox(const struct rop_call *rop)
{
	return rop->on->mailbox;
}
struct store_mailbox *rop_store(const struct rop_call *rop);
/* Texts as asked: PTYP_STRING8 in the code page where the tag says so. In place. */
MW_NODISCARD int rop_convert_out(struct rop_call *rop, const uint32_t *tags, struct mapi_value *values, size_t count,
                                 uint32_t code_page);
MW_NODISCARD int rop_narrow(struct arena *arena, const uint32_t *tags, struct mapi_value *values, size_t count,
                            uint32_t code_page);
/* Values from a client: texts become PTYP_STRING. */
MW_NODISCARD int rop_convert_in(struct rop_call *rop, const struct mapi_value *in, size_t count, uint32_t code_page,
                                struct mapi_value **out);
uint32_t rop_code_page(const struct rop_call *rop, const struct emsmdb_object *o);
/* The object at DestHandleIndex when it is of those kinds; NULL: ecDstNullObject. */
struct emsmdb_object *rop_destination(const struct rop_call *rop, uint8_t index, unsigned kinds);
/* One text of a request, which has it in one of two forms, as UTF-8; NULL: out of memory. "" when there is none. */
char *rop_text(struct rop_call *rop, const uint16_t *wide, const char *narrow);
/* The commit that the response promises: the newest of several. */
static inline void rop_promise(struct rop_call *rop, uint64_t ticket)
{
	if (ticket > rop->ticket)
		rop->ticket = ticket;
}

/* ---- table_news.c ---- */
/* The ROP has looked at rows of its table; its columns, order or filter are others now. */
void emsmdb_table_used(struct rop_call *rop);
void emsmdb_table_changed(struct emsmdb_object *o);

/* ---- rop_copy.c ---- */
bool rop_copy_flags_known(const struct rop_call *rop);
/* RopCopyProperties with these tags, or RopCopyTo with these left out, from a message of the destination's mailbox. */
MW_NODISCARD int rop_copy_from(struct rop_call *rop, struct store_message *from, struct emsmdb_object *to,
                               const uint32_t *tags, size_t count);

/* ---- across.c ---- */
/* A ROP whose destination is in another mailbox than its source, in place of its own function. */
uint32_t rop_across(struct rop_call *rop);

/* ---- rights.c ---- */
/* The request's DestHandleIndex. */
uint8_t rop_destination_index(const struct rop_call *rop);
/* 0, or why the caller may not. */
uint32_t rop_check_rights(struct rop_call *rop, const struct rop_row *row);
uint32_t rop_check_destination(const struct emsmdb_object *to, uint32_t needs);
/* Whether the caller may do that with one message: STORE_ACCESS_*. */
bool rop_may(const struct rop_call *rop, uint64_t folder, uint64_t message, uint32_t access);

/* ---- rop_table.c ---- */
/* How many of the rows fit into the room behind head bytes, as the client will get them: texts are converted. */
MW_NODISCARD int rop_fit_rows(struct rop_call *rop, const uint32_t *columns, struct mapi_row *rows, size_t count,
                              size_t head, size_t *fits);

/* ---- rop_restrict.c ---- */
/* The restriction with its texts as PTYP_STRING, in the arena. depth: 0. */
#define ROP_RESTRICTION_DEPTH 64
MW_NODISCARD int rop_widen(struct rop_call *rop, const struct mapi_restriction *in, struct mapi_restriction *out,
                           unsigned depth);

/* ---- rop_bookmark.c ---- */
/* A bookmark of the position. */
MW_NODISCARD int rop_make_bookmark(struct rop_call *rop, uint8_t **data, uint16_t *size);
/* MW_E_INVALID: none of this table, or from before its last sort or restriction. */
MW_NODISCARD int rop_read_bookmark(const struct rop_call *rop, const uint8_t *data, size_t size,
                                   struct store_mark *out);

/* ---- rop_message.c ---- */
/* What RopOpenMessage and its like tell of a message. */
MW_NODISCARD int rop_describe_message(struct rop_call *rop, struct store_message *msg,
                                      struct RopOpenMessageResponse *a);
/* A new object for the message, which it then owns. */
MW_NODISCARD int rop_add_message(struct rop_call *rop, struct store_message *msg, uint16_t code_page);

/* ---- rop_recipient.c ---- */
/* A RecipientRow without columns; NULL: out of memory. */
struct mapi_recipient *rop_recipient_row(struct arena *arena, const struct store_recipient *r);

/* ---- rop_property.c ---- */
/* The tags of what rop->in has, in the arena. */
MW_NODISCARD int rop_list_tags(struct rop_call *rop, uint32_t **tags, size_t *count);

/* ---- text_stream.c: a stream on a text of the message rop->in, in its code page; as store/stream.h ---- */
MW_NODISCARD int emsmdb_text_open(struct rop_call *rop, uint32_t tag, enum store_stream_mode mode,
                                  struct emsmdb_text **out);
size_t emsmdb_text_size(const struct emsmdb_text *t);
size_t emsmdb_text_read(struct emsmdb_text *t, void *out, size_t size);
MW_NODISCARD int emsmdb_text_write(struct emsmdb_text *t, const void *data, size_t size);
MW_NODISCARD int emsmdb_text_commit(struct emsmdb_text *t);
/* Commits first; the result of that. */
int emsmdb_text_close(struct emsmdb_text **t);
size_t emsmdb_text_position(const struct emsmdb_text *t);
/* MW_E_LIMIT */
MW_NODISCARD int emsmdb_text_seek(struct emsmdb_text *t, uint64_t position);
MW_NODISCARD int emsmdb_text_set_size(struct emsmdb_text *t, uint64_t size);

#endif
