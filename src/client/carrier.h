#ifndef MW_CLIENT_CARRIER_H
#define MW_CLIENT_CARRIER_H

#include "base/buf.h"
#include "ndr/ndr.h"
#include "rpc/connection.h"

/* A call under way. */
struct client_call {
	struct client_call *next;
	struct client_conn *conn;
	const struct idl_method *method;
	bool done;
	int64_t arrived_ns; /* monotonic */
	/* Of RPC. */
	enum ndr_syntax syntax;
	uint32_t id;
	bool fault, big_endian;
	enum rpc_signature signature;
	uint32_t status;
	struct buf stub;
	struct client_mapi_request *request; /* of MAPI over HTTP */
};

/*
 * How a connection's calls travel: as RPC over any transport (rpc.c), or each as a request of MAPI over HTTP (mapi.c).
 * What is above makes and reads the same generated structures with both.
 */
struct client_carrier {
	/* 0 or a MAPIWIRE_E_* whose words have been said. It may wait. */
	MW_NODISCARD int (*send)(struct client_call *call, unsigned context, const void *args);
	/* Of a call that is done: its answer into args; 0 or a MAPIWIRE_E_* whose words have been said. *again, with 0:
	 * the server cannot have executed it, so it was sent once more. */
	MW_NODISCARD int (*take)(struct client_call *call, struct arena *arena, void *args, bool *again);
	/* Tells the server that nobody waits for the call any more (orphan), or will not for long. false: it cannot be
	 * told. */
	bool (*cancel)(struct client_call *call, bool orphan);
	/* Frees what is the carrier's of a call, of a connection. */
	void (*drop)(struct client_call *call);
};
extern const struct client_carrier client_rpc_carrier, client_mapi_carrier;

#endif
