#ifndef MW_AUTH_NTLM_MESSAGE_H
#define MW_AUTH_NTLM_MESSAGE_H

#include "auth/ntlm_crypto.h"
#include "base/buf.h"
#include "base/cursor.h"

/*
 * The three messages of MS-NLMP 2.2.1 and the AV pairs of 2.2.2.1. Parsed
 * fields borrow the bytes of the token. Parsers answer MW_E_TRUNCATED or
 * MW_E_MALFORMED; builders append to a buf.
 */

/* 2.2.2.5 */
#define NTLMSSP_NEGOTIATE_UNICODE 0x00000001u
#define NTLMSSP_NEGOTIATE_OEM 0x00000002u
#define NTLMSSP_REQUEST_TARGET 0x00000004u
#define NTLMSSP_NEGOTIATE_SIGN 0x00000010u
#define NTLMSSP_NEGOTIATE_SEAL 0x00000020u
#define NTLMSSP_NEGOTIATE_DATAGRAM 0x00000040u
#define NTLMSSP_NEGOTIATE_NTLM 0x00000200u
#define NTLMSSP_ANONYMOUS 0x00000800u
#define NTLMSSP_NEGOTIATE_ALWAYS_SIGN 0x00008000u
#define NTLMSSP_TARGET_TYPE_DOMAIN 0x00010000u
#define NTLMSSP_TARGET_TYPE_SERVER 0x00020000u
#define NTLMSSP_NEGOTIATE_EXTENDED_SESSIONSECURITY 0x00080000u
#define NTLMSSP_NEGOTIATE_TARGET_INFO 0x00800000u
#define NTLMSSP_NEGOTIATE_VERSION 0x02000000u
#define NTLMSSP_NEGOTIATE_128 0x20000000u
#define NTLMSSP_NEGOTIATE_KEY_EXCH 0x40000000u
#define NTLMSSP_NEGOTIATE_56 0x80000000u

enum ntlm_type { NTLM_NEGOTIATE = 1, NTLM_CHALLENGE = 2, NTLM_AUTHENTICATE = 3 };

/* Looks at signature and type only. */
MW_NODISCARD int ntlm_message_type(struct cursor token, enum ntlm_type *out);

struct ntlm_negotiate {
	uint32_t flags;
	struct ntlm_bytes domain, workstation; /* OEM */
	uint8_t version[8];                    /* sent with NTLMSSP_NEGOTIATE_VERSION, else zeros */
};
MW_NODISCARD int ntlm_negotiate_parse(struct cursor in, struct ntlm_negotiate *out);
MW_NODISCARD int ntlm_negotiate_build(const struct ntlm_negotiate *m, struct buf *out);

struct ntlm_challenge {
	struct ntlm_bytes target_name;
	uint32_t flags;
	uint8_t server_challenge[8];
	struct ntlm_bytes target_info; /* AV pairs, see ntlm_av_parse */
	uint8_t version[8];
};
MW_NODISCARD int ntlm_challenge_parse(struct cursor in, struct ntlm_challenge *out);
MW_NODISCARD int ntlm_challenge_build(const struct ntlm_challenge *m, struct buf *out);

#define NTLM_MIC_OFFSET 72
struct ntlm_authenticate {
	struct ntlm_bytes lm_response, nt_response;
	struct ntlm_bytes domain, user, workstation; /* UTF-16LE, or OEM where the flags say so */
	struct ntlm_bytes session_key;               /* EncryptedRandomSessionKey */
	uint32_t flags;
	uint8_t version[8];
	bool has_mic_field; /* there is room for it before the payload */
	uint8_t mic[16];
};
MW_NODISCARD int ntlm_authenticate_parse(struct cursor in, struct ntlm_authenticate *out);
/* The MIC field, if any, is at NTLM_MIC_OFFSET of what is appended. */
MW_NODISCARD int ntlm_authenticate_build(const struct ntlm_authenticate *m, struct buf *out);

/* 2.2.2.1 */
enum ntlm_av_id {
	MsvAvEOL = 0,
	MsvAvNbComputerName = 1,
	MsvAvNbDomainName = 2,
	MsvAvDnsComputerName = 3,
	MsvAvDnsDomainName = 4,
	MsvAvDnsTreeName = 5,
	MsvAvFlags = 6,
	MsvAvTimestamp = 7,
	MsvAvSingleHost = 8,
	MsvAvTargetName = 9,
	MsvAvChannelBindings = 10,
	NTLM_AV_COUNT
};
#define NTLM_AV_FLAG_MIC 0x2u

/* The values of known ids; data is NULL for one that is absent. A repeated id is malformed. */
struct ntlm_av {
	struct ntlm_bytes value[NTLM_AV_COUNT];
	size_t end; /* bytes before MsvAvEOL */
};
/* MsvAvChannelBindings of these bindings: MD5 of their gss_channel_bindings_struct, 2.2.2.1. */
void ntlm_channel_hash(const uint8_t *binding, size_t len, uint8_t out[16]);
/* No bytes at all are an empty list; otherwise MsvAvEOL must end it. */
MW_NODISCARD int ntlm_av_parse(struct ntlm_bytes in, struct ntlm_av *out);
int ntlm_av_put(struct buf *out, enum ntlm_av_id id, const void *value, size_t len);
/* 0 when absent. */
uint32_t ntlm_av_flags(const struct ntlm_av *av);

/* NTLMv2_RESPONSE, 2.2.2.7 and 2.2.2.8. */
#define NTLM_V2_RESPONSE_MIN 48
struct ntlm_v2_response {
	const uint8_t *proof;   /* 16 bytes */
	struct ntlm_bytes temp; /* what the proof covers */
	uint8_t client_challenge[8];
	struct ntlm_av av;
};
MW_NODISCARD int ntlm_v2_response_parse(struct ntlm_bytes in, struct ntlm_v2_response *out);

#endif
