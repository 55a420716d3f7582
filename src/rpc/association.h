#ifndef MW_RPC_ASSOCIATION_H
#define MW_RPC_ASSOCIATION_H

#include "base/random.h"
#include "idl/idl.h"

/*
 * Association groups and their context handles, C706 5.1.3 and [MS-RPCE]
 * 3.3.1.5.6: connections of one client that share handles. A group ends with its
 * last connection; its handles are then run down. One registry belongs to one
 * loop; ids are made so that the loop can be told from them.
 */
struct rpc_associations;
struct rpc_association;

/* loop: 0..255, becomes the top byte of each group's id. */
struct rpc_associations *rpc_associations_new(uint8_t loop, const struct random_source *random);
void rpc_associations_free(struct rpc_associations **a);

/* Joins a group (0 = a new one) and holds a reference. MW_E_NOTFOUND for an id that is not there. */
MW_NODISCARD int rpc_association_join(struct rpc_associations *a, uint32_t id, struct rpc_association **out);
/* Gives the reference back; with the last one the handles are run down. */
void rpc_association_leave(struct rpc_association **assoc);
uint32_t rpc_association_id(const struct rpc_association *assoc);

/* Called when the client has gone without closing the handle; frees the object. */
typedef void (*rpc_rundown_fn)(void *object);

/* A handle of an interface. At most RPC_MAX_HANDLES a group: MW_E_LIMIT. */
#define RPC_MAX_HANDLES 1024
MW_NODISCARD int rpc_handle_create(struct rpc_association *assoc, const struct idl_interface *iface, void *object,
                                   rpc_rundown_fn rundown, struct idl_context_handle *out);
/* The object, or NULL: not of this group, not of this interface, closed, or the nil handle. */
void *rpc_handle_find(struct rpc_association *assoc, const struct idl_interface *iface,
                      const struct idl_context_handle *handle);
/* Forgets the handle without running it down; *handle becomes nil. */
void rpc_handle_close(struct rpc_association *assoc, struct idl_context_handle *handle);
/* Runs down each handle of the interface whose object is to go; yields how many of that interface are left. */
unsigned rpc_handle_sweep(struct rpc_association *assoc, const struct idl_interface *iface,
                          bool (*is_to_go)(void *user, const void *object), void *user);

#endif
