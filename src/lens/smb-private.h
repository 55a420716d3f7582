#ifndef MW_LENS_SMB_PRIVATE_H
#define MW_LENS_SMB_PRIVATE_H

#include "base/cursor.h"
#include "lens/lens-private.h"

/*
 * SMB as far as RPC needs it: files that are opened, written and read, of which those are pipes whose
 * bytes are RPC's. [MS-CIFS] 2.2, [MS-SMB2] 2.2, [MS-RPCE] 2.1.1.2, NetBIOS session frames: RFC 1002 4.3.
 * smb.c frames messages; smb1.c and smb2.c open them; pipe.c knows files, requests and shares.
 */

#define SMB_MAX_MESSAGE (192u << 10)   /* longer ones carry no RPC */
#define SMB_MAX_HELD ((size_t)4 << 20) /* unfinished messages of a part's connections */
#define SMB_MAX_FILES 64               /* open ones of a connection */
#define SMB_MAX_REQUESTS 64            /* of a connection that wait for their answer */
#define SMB_MAX_SHARES 16
#define SMB_MAX_NAME 256
#define SMB_FRAME 4 /* the NetBIOS header */
#define SMB_1_HEADER 32
#define SMB_2_HEADER 64

struct smb_half {
	uint8_t *data; /* an unfinished message, with its frame */
	size_t len, cap;
	uint64_t skip; /* of a message that is passed over: bytes to come */
	uint64_t at;   /* in the stream: where the message at hand begins */
	bool lost;     /* a chunk that begins with a message is awaited */
	struct lens_where where;
};

/* SMB1: a FID of 16 bits, the rest zero. */
struct smb_id {
	uint8_t bytes[16];
};

struct smb_file {
	struct smb_file *next;
	struct smb_id id;
	char *name;   /* NULL: its opening was not captured */
	bool no_pipe; /* what was written first is not RPC */
	struct lens_conversation *talk;
};

enum smb_what { SMB_CREATE, SMB_READ, SMB_WRITE, SMB_TRANSACT, SMB_SHARE };

struct smb_request {
	uint64_t id; /* 0: free */
	enum smb_what what;
	struct smb_id file;
	char *name; /* SMB_CREATE */
};

enum smb_kind { SMB_UNKNOWN, SMB_PIPES, SMB_OTHER };

struct smb_share {
	uint32_t tree;
	enum smb_kind kind;
};

struct lens_smb {
	struct lens_age age;
	struct lens_flow *flow;
	struct smb_half half[2]; /* by the stream's side */
	struct smb_file *files, *latest;
	unsigned file_count;
	struct smb_request *requests; /* a ring */
	unsigned next_request, request_room;
	struct smb_share shares[SMB_MAX_SHARES];
	unsigned share_count;
	bool told_sealed;
};

/* One message, without its frame; where its bytes stand in the stream. */
struct smb_message {
	struct lens_smb *smb;
	unsigned side;
	bool answer;
	const uint8_t *data;
	size_t len;
	uint64_t at;
	struct smb_id last; /* SMB2: the file of the message before, in a compound */
};

/* Whether its beginning of len bytes shows that nothing for us is in the message. */
bool smb1_is_idle(struct lens_smb *s, const uint8_t *p, size_t len);
bool smb2_is_idle(struct lens_smb *s, const uint8_t *p, size_t len);
void smb1_message(struct smb_message *m);
void smb2_message(struct smb_message *m);

/* ---- pipe.c ---- */

/* Takes the name of an SMB_CREATE. */
void smb_ask(struct lens_smb *s, uint64_t id, enum smb_what what, const struct smb_id *file, char *name);
/* NULL when its request was not captured. */
struct smb_request *smb_asked(struct lens_smb *s, uint64_t id);
void smb_answered(struct smb_request *r);
/* "\PIPE\lsarpc" is lsarpc; malloc'd, NULL without one. */
char *smb_name(const uint8_t *bytes, size_t len, bool wide);
void smb_opened(struct lens_smb *s, const struct smb_id *id, char *name);
void smb_closed(struct lens_smb *s, const struct smb_id *id);
/* len bytes of the message at data that were written to or read from that file. */
void smb_data(const struct smb_message *m, const struct smb_id *id, uint32_t tree, const uint8_t *data, size_t len);
void smb_learn_share(struct lens_smb *s, uint32_t tree, enum smb_kind kind);
enum smb_kind smb_share_of(const struct lens_smb *s, uint32_t tree);
/* Bytes of that side are lost: n, or a number that is not known (0). */
void smb_files_lost(struct lens_smb *s, unsigned side, uint64_t n, const struct lens_stamp *stamp);
void smb_files_end(struct lens_smb *s, unsigned side, const struct lens_stamp *stamp);
void smb_files_free(struct lens_smb *s);

#endif
