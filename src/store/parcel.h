#ifndef MW_STORE_PARCEL_H
#define MW_STORE_PARCEL_H

#include "store/message.h"

/*
 * A message on its way from one mailbox to another, whose owners are different threads: it holds nothing of
 * either and belongs to whoever has it. Named properties travel by their names. Large values follow in pieces:
 *
 *   sender's owner:     store_parcel_pack
 *   recipient's owner:  store_parcel_arrive; then while store_parcel_lacks:
 *     sender's owner:     store_parcel_fetch     one piece of at most 64 KiB
 *     recipient's owner:  store_parcel_keep
 *   recipient's owner:  store_parcel_open: a new message, not saved yet
 *
 * Pieces that were kept and not opened are nobody's: store_parcel_discard, or the sweep at the mailbox's opening.
 */
struct store_parcel;

MW_NODISCARD int store_parcel_pack(struct store_message *msg, struct store_parcel **out);
MW_NODISCARD int store_parcel_arrive(struct store_parcel *p, struct store_mailbox *m);
bool store_parcel_lacks(const struct store_parcel *p);
MW_NODISCARD int store_parcel_fetch(struct store_parcel *p, struct store_mailbox *m);
MW_NODISCARD int store_parcel_keep(struct store_parcel *p, struct store_mailbox *m);
/* folder 0: where messages of its class arrive ([MS-OXCSTOR] 3.2.5.2). */
MW_NODISCARD int store_parcel_open(struct store_parcel *p, struct store_mailbox *m, uint64_t folder, int64_t now,
                                   struct store_message **out);
/* As a copy in that folder, saved, flags and all. */
MW_NODISCARD int store_parcel_put(struct store_parcel *p, struct store_mailbox *m, uint64_t folder, bool associated,
                                  int64_t now, uint64_t *copy, uint64_t *ticket);
/* At the recipient's, when it is not opened after all. */
void store_parcel_discard(struct store_parcel *p, struct store_mailbox *m);
void store_parcel_free(struct store_parcel **p);

#endif
