#ifndef MW_WIRE_TOWER_H
#define MW_WIRE_TOWER_H

#include "base/buf.h"
#include "base/cursor.h"
#include "base/guid.h"

/*
 * The octets of a twr_t: what the endpoint mapper is asked for and what it
 * hands out. C706 appendix L (protocol towers) and appendix I (protocol
 * identifiers), [MS-RPCE] 2.2.1.2.
 */

enum epm_protocol {
	EPM_PROTOCOL_OTHER,
	EPM_NCACN_IP_TCP,
	EPM_NCADG_IP_UDP,
	EPM_NCACN_HTTP,
	EPM_NCACN_NP,
	EPM_NCALRPC,
};

/* Long enough for a NetBIOS or DNS name, and for "\pipe\..." and LRPC port names. */
#define EPM_NAME_SIZE 256

struct epm_tower {
	struct guid interface;
	uint16_t major, minor;
	struct guid transfer; /* transfer syntax */
	uint16_t transfer_major, transfer_minor;
	enum epm_protocol protocol;
	uint16_t port;            /* TCP, UDP, HTTP; 0 in a question */
	uint8_t ip[4];            /* of the same, in network order; zeros in a question */
	char name[EPM_NAME_SIZE]; /* pipe ("\pipe\lsass") or LRPC port; "" if none */
	char host[EPM_NAME_SIZE]; /* NetBIOS name with a pipe; "" if none */
};

/* "ncacn_ip_tcp", ...; "unknown" for EPM_PROTOCOL_OTHER. */
const char *epm_protocol_name(enum epm_protocol protocol);

/*
 * From tower_octet_string. Floors that we do not know make the protocol
 * EPM_PROTOCOL_OTHER; MW_E_TRUNCATED when a floor passes the end, MW_E_MALFORMED
 * when the first two are no interface and transfer syntax.
 */
MW_NODISCARD int epm_tower_parse(struct cursor octets, struct epm_tower *out);
/* Appends tower_octet_string. MW_E_INVALID for EPM_PROTOCOL_OTHER. */
MW_NODISCARD int epm_tower_build(const struct epm_tower *tower, struct buf *out);

#endif
