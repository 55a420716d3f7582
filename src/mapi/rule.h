#ifndef MW_MAPI_RULE_H
#define MW_MAPI_RULE_H

#include "mapi/property.h"

/* What a rule does: [MS-OXORULE] 2.2.5 (PtypRuleAction). */

enum mapi_action_type {
	MAPI_OP_MOVE = 0x01,
	MAPI_OP_COPY = 0x02,
	MAPI_OP_REPLY = 0x03,
	MAPI_OP_OOF_REPLY = 0x04,
	MAPI_OP_DEFER_ACTION = 0x05,
	MAPI_OP_BOUNCE = 0x06,
	MAPI_OP_FORWARD = 0x07,
	MAPI_OP_DELEGATE = 0x08,
	MAPI_OP_TAG = 0x09,
	MAPI_OP_DELETE = 0x0A,
	MAPI_OP_MARK_AS_READ = 0x0B,
};

struct mapi_action_recipient {
	uint8_t reserved;
	uint32_t count;
	struct mapi_value *values;
};

struct mapi_action {
	uint8_t type; /* enum mapi_action_type */
	uint32_t flavor, flags;
	union {
		struct { /* move, copy: entry ids; of a folder in this store, a ServerEid */
			uint8_t in_this_store;
			struct mapi_binary store_eid, folder_eid;
		} move;
		struct { /* reply, OOF reply; the entry id in extended rules, else the two ids */
			uint64_t folder_id, message_id;
			struct mapi_binary message_eid;
			struct guid template_guid;
		} reply;
		uint32_t bounce_code;
		struct { /* forward, delegate */
			uint32_t count;
			struct mapi_action_recipient *recipients;
		} forward;
		struct mapi_value tag;
		struct mapi_binary data; /* defer, and what we do not know */
	} u;
};

struct mapi_rule_actions {
	uint32_t count;
	struct mapi_action *actions;
};

#endif
