#ifndef MW_SERVER_EPM_PLACE_H
#define MW_SERVER_EPM_PLACE_H

#include "rpc/association.h"

/*
 * Where a lookup of the endpoint mapper that did not fit into its answer goes on: a
 * context handle of the caller's association (C706 appendix O, ept_lookup_handle_t).
 * A client has few at a time, and one that it leaves lying is forgotten.
 */
#define EPM_MAX_PLACES 16
#define EPM_PLACE_IDLE_NS (INT64_C(300) * 1000000000)

/* 0 for the nil handle. MW_E_NOTFOUND: a handle that is not the client's, or that it left lying too long. */
MW_NODISCARD int epm_place_find(struct rpc_association *a, const struct idl_context_handle *handle, int64_t now_ns,
                                unsigned *next);
/* Moves the place of a handle that was found, or makes one of a nil handle: the one used longest ago gives way. */
MW_NODISCARD int epm_place_keep(struct rpc_association *a, struct idl_context_handle *handle, int64_t now_ns,
                                unsigned next);
/* *handle becomes nil. */
void epm_place_end(struct rpc_association *a, struct idl_context_handle *handle);

#endif
