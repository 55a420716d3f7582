#include "rpc/pdu.h"

#include <stddef.h>

const struct rpc_syntax rpc_ndr20 = {
        .uuid = {0x8a885d04, 0x1ceb, 0x11c9, {0x9f, 0xe8, 0x08, 0x00, 0x2b, 0x10, 0x48, 0x60}},
        .major = 2,
};
const struct rpc_syntax rpc_ndr64 = {
        .uuid = {0x71710533, 0xbeba, 0x4937, {0x83, 0x19, 0xb5, 0xdb, 0xef, 0x9c, 0xcc, 0x36}},
        .major = 1,
};

bool rpc_is_feature_negotiation(const struct rpc_syntax *s, uint64_t *features)
{
	if (s->uuid.data1 != 0x6cb71c2c || s->uuid.data2 != 0x9812 || s->uuid.data3 != 0x4540)
		return false;
	if (s->major != 1 || s->minor != 0)
		return false;
	if (features)
		memcpy(features, s->uuid.data4, sizeof *features);
	return true;
}

const char *rpc_ptype_name(uint8_t ptype)
{
	switch (ptype) {
	case RPC_REQUEST:
		return "request";
	case RPC_RESPONSE:
		return "response";
	case RPC_FAULT:
		return "fault";
	case RPC_BIND:
		return "bind";
	case RPC_BIND_ACK:
		return "bind_ack";
	case RPC_BIND_NAK:
		return "bind_nak";
	case RPC_ALTER_CONTEXT:
		return "alter_context";
	case RPC_ALTER_CONTEXT_RESP:
		return "alter_context_resp";
	case RPC_AUTH3:
		return "auth3";
	case RPC_SHUTDOWN:
		return "shutdown";
	case RPC_CO_CANCEL:
		return "co_cancel";
	case RPC_ORPHANED:
		return "orphaned";
	}
	return "unknown";
}

const char *rpc_nak_reason_name(uint16_t reason)
{
	static const char *const names[] = {
	        "reason_not_specified",
	        "temporary_congestion",
	        "local_limit_exceeded",
	        "called_paddr_unknown",
	        "protocol_version_not_supported",
	        "default_context_not_supported",
	        "user_data_not_readable",
	        "no_psap_available",
	        "authentication_type_not_recognized",
	        "invalid_checksum",
	};
	return reason < ARRAY_SIZE(names) ? names[reason] : NULL;
}

const char *rpc_provider_reason_name(uint16_t reason)
{
	static const char *const names[] = {
	        "reason_not_specified",
	        "abstract_syntax_not_supported",
	        "proposed_transfer_syntaxes_not_supported",
	        "local_limit_exceeded",
	};
	return reason < ARRAY_SIZE(names) ? names[reason] : NULL;
}
