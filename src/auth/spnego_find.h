#ifndef MW_AUTH_SPNEGO_FIND_H
#define MW_AUTH_SPNEGO_FIND_H

#include "base/cursor.h"

/*
 * The NTLMSSP token inside a SPNEGO token (RFC 4178: NegTokenInit in its GSS
 * frame, or NegTokenResp), or the token itself when it is bare. Private to
 * src/auth. MW_E_NOTFOUND when there is none.
 */
MW_NODISCARD int spnego_find_ntlm(struct cursor token, struct cursor *out);

#endif
