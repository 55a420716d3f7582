#ifndef MW_MAPI_SESSION_H
#define MW_MAPI_SESSION_H

#include "mapi/property.h"

/*
 * The MAPI context of one session (one CXH): what later ROPs mean by what
 * earlier ones said. Client, server and observer keep the same one; the ROP
 * walker (mapi/rop_buffer.h) updates it by pairs of requests and responses.
 * Memory is bounded: what was not asked for longest is forgotten first, so every
 * answer may be "not known".
 */
struct mapi_session;

/* ulCpid of EcDoConnect(Ex), 0 when not known. NULL when out of memory. */
struct mapi_session *mapi_session_new(uint32_t code_page);
void mapi_session_free(struct mapi_session **session);

static inline void mapi_session_cleanup(struct mapi_session **session)
{
	mapi_session_free(session);
}

void mapi_session_set_code_page(struct mapi_session *s, uint32_t code_page);
uint32_t mapi_session_code_page(const struct mapi_session *s);

/* A logon that nobody saw counts as private. */
void mapi_session_set_logon(struct mapi_session *s, uint8_t logon_id, bool is_private);
bool mapi_session_logon_is_private(const struct mapi_session *s, uint8_t logon_id);

struct mapi_known_tags {
	bool known;
	uint16_t count;
	const uint32_t *tags; /* the session's, until it is next changed */
};

/* By handle. Setting keeps a copy; what is too large to remember becomes unknown. */
struct mapi_known_tags mapi_session_columns(struct mapi_session *s, uint32_t handle);
void mapi_session_set_columns(struct mapi_session *s, uint32_t handle, const uint32_t *tags, uint16_t count);
void mapi_session_forget_columns(struct mapi_session *s, uint32_t handle);
/* RecipientColumns that the server gave for the message. */
struct mapi_known_tags mapi_session_recipient_columns(struct mapi_session *s, uint32_t handle);
void mapi_session_set_recipient_columns(struct mapi_session *s, uint32_t handle, const uint32_t *tags, uint16_t count);
/* The folder that a handle is, or that its table or message is in. */
void mapi_session_set_folder(struct mapi_session *s, uint32_t handle, uint64_t folder_id);
bool mapi_session_folder(struct mapi_session *s, uint32_t handle, uint64_t *folder_id);
/* The handle is gone: RopRelease. */
void mapi_session_release(struct mapi_session *s, uint32_t handle);

/* Names of folders, UTF-8. NULL when not known. */
void mapi_session_set_folder_name(struct mapi_session *s, uint64_t folder_id, const char *name);
const char *mapi_session_folder_name(struct mapi_session *s, uint64_t folder_id);

/* What the mailbox calls property 0x8000 and above: "{guid}:0x8005" or "{guid}:name", UTF-8. */
void mapi_session_set_property_name(struct mapi_session *s, struct arena *scratch, uint16_t id,
                                    const struct mapi_property_name *name);
const char *mapi_session_property_name(struct mapi_session *s, uint16_t id);

#endif
