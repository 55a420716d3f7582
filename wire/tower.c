#include "wire/tower.h"

#include <string.h>

/* Protocol identifiers of floors: C706 appendix I, [MS-RPCE] 2.2.1.2 and its product notes. */
enum floor_id {
	FLOOR_TCP = 0x07,
	FLOOR_UDP = 0x08,
	FLOOR_IP = 0x09,
	FLOOR_NCADG = 0x0A,
	FLOOR_NCACN = 0x0B,
	FLOOR_NCALRPC = 0x0C,
	FLOOR_UUID = 0x0D,
	FLOOR_PIPE = 0x0F,
	FLOOR_LRPC_PORT = 0x10,
	FLOOR_NETBIOS = 0x11,
	FLOOR_HTTP = 0x1F,
};

static const struct {
	const char *name;
	enum epm_protocol protocol;
	uint8_t rpc, transport, network; /* floors 3, 4, 5; network 0: there is none */
} protocols[] = {
        {"ncacn_ip_tcp", EPM_NCACN_IP_TCP, FLOOR_NCACN, FLOOR_TCP, FLOOR_IP},
        {"ncadg_ip_udp", EPM_NCADG_IP_UDP, FLOOR_NCADG, FLOOR_UDP, FLOOR_IP},
        {"ncacn_http", EPM_NCACN_HTTP, FLOOR_NCACN, FLOOR_HTTP, FLOOR_IP},
        {"ncacn_np", EPM_NCACN_NP, FLOOR_NCACN, FLOOR_PIPE, FLOOR_NETBIOS},
        {"ncalrpc", EPM_NCALRPC, FLOOR_NCALRPC, FLOOR_LRPC_PORT, 0},
};

const char *epm_protocol_name(enum epm_protocol protocol)
{
	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
		if (protocols[i].protocol == protocol)
			return protocols[i].name;
	return "unknown";
}

/* One floor: its left side begins with the protocol identifier. */
struct tower_floor {
	uint8_t id;
	struct cursor lhs, rhs;
};

static int read_floor(struct cursor *in, struct tower_floor *floor)
{
	uint16_t size;
	int r;
	if ((r = cursor_u16(in, &size)) < 0 || (r = cursor_child(in, size, &floor->lhs)) < 0)
		return r;
	if (cursor_u8(&floor->lhs, &floor->id) < 0)
		return MW_E_MALFORMED;
	if ((r = cursor_u16(in, &size)) < 0)
		return r;
	return cursor_child(in, size, &floor->rhs);
}

/* Floors 1 and 2: UUID and major version on the left, minor version on the right. */
static int read_syntax(struct cursor *in, struct guid *uuid, uint16_t *major, uint16_t *minor)
{
	struct tower_floor floor;
	const uint8_t *bytes;
	int r = read_floor(in, &floor);
	if (r < 0)
		return r;
	if (floor.id != FLOOR_UUID || cursor_bytes(&floor.lhs, 16, &bytes) < 0 || cursor_u16(&floor.lhs, major) < 0 ||
	    cursor_u16(&floor.rhs, minor) < 0)
		return MW_E_MALFORMED;
	guid_from_bytes(bytes, uuid);
	return 0;
}

static void read_name(struct cursor rhs, char out[EPM_NAME_SIZE])
{
	size_t n = cursor_left(&rhs);
	if (n > EPM_NAME_SIZE - 1)
		n = EPM_NAME_SIZE - 1;
	memcpy(out, cursor_here(&rhs), n);
	out[n] = 0;
}

static void read_address(const struct tower_floor *floor, struct epm_tower *t)
{
	struct cursor rhs = floor->rhs;
	rhs.big_endian = true;
	switch (floor->id) {
	case FLOOR_TCP:
	case FLOOR_UDP:
	case FLOOR_HTTP:
		if (cursor_u16(&rhs, &t->port) < 0)
			t->port = 0;
		break;
	case FLOOR_IP:
		if (cursor_copy(&rhs, t->ip, sizeof t->ip) < 0)
			memset(t->ip, 0, sizeof t->ip);
		break;
	case FLOOR_PIPE:
	case FLOOR_LRPC_PORT:
		read_name(rhs, t->name);
		break;
	case FLOOR_NETBIOS:
		read_name(rhs, t->host);
		break;
	default:
		break;
	}
}

int epm_tower_parse(struct cursor octets, struct epm_tower *out)
{
	struct epm_tower t = {0};
	struct tower_floor floor;
	uint8_t ids[3] = {0};
	uint16_t count;
	int r;
	octets.big_endian = false;
	if ((r = cursor_u16(&octets, &count)) < 0)
		return r;
	if (count < 2)
		return MW_E_MALFORMED;
	if ((r = read_syntax(&octets, &t.interface, &t.major, &t.minor)) < 0 ||
	    (r = read_syntax(&octets, &t.transfer, &t.transfer_major, &t.transfer_minor)) < 0)
		return r;
	for (unsigned i = 2; i < count; i++) {
		if ((r = read_floor(&octets, &floor)) < 0)
			return r;
		if (i - 2 < ARRAY_SIZE(ids))
			ids[i - 2] = floor.id;
		read_address(&floor, &t);
	}
	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
		if (ids[0] == protocols[i].rpc && ids[1] == protocols[i].transport)
			t.protocol = protocols[i].protocol;
	*out = t;
	return 0;
}

static void put_syntax(struct buf *out, const struct guid *uuid, uint16_t major, uint16_t minor)
{
	uint8_t bytes[16];
	guid_to_bytes(uuid, bytes);
	buf_put_u16(out, 19);
	buf_put_u8(out, FLOOR_UUID);
	buf_put(out, bytes, sizeof bytes);
	buf_put_u16(out, major);
	buf_put_u16(out, 2);
	buf_put_u16(out, minor);
}

static void put_floor(struct buf *out, uint8_t id, const void *rhs, uint16_t size)
{
	buf_put_u16(out, 1);
	buf_put_u8(out, id);
	buf_put_u16(out, size);
	buf_put(out, rhs, size);
}

static void put_name(struct buf *out, uint8_t id, const char *name)
{
	size_t size = strnlen(name, EPM_NAME_SIZE - 1) + 1;
	buf_put_u16(out, 1);
	buf_put_u8(out, id);
	buf_put_u16(out, (uint16_t)size);
	buf_put(out, name, size - 1);
	buf_put_u8(out, 0);
}

int epm_tower_build(const struct epm_tower *t, struct buf *out)
{
	size_t i = 0;
	while (i < ARRAY_SIZE(protocols) && protocols[i].protocol != t->protocol)
		i++;
	if (i == ARRAY_SIZE(protocols))
		return MW_E_INVALID;
	bool named = t->protocol == EPM_NCACN_NP || t->protocol == EPM_NCALRPC;
	uint8_t port[2] = {(uint8_t)(t->port >> 8), (uint8_t)t->port};

	buf_put_u16(out, protocols[i].network ? 5 : 4);
	put_syntax(out, &t->interface, t->major, t->minor);
	put_syntax(out, &t->transfer, t->transfer_major, t->transfer_minor);
	/* The RPC protocol's minor version, 0. */
	put_floor(out, protocols[i].rpc, (uint8_t[2]){0}, 2);
	if (named)
		put_name(out, protocols[i].transport, t->name);
	else
		put_floor(out, protocols[i].transport, port, sizeof port);
	if (protocols[i].network == FLOOR_IP)
		put_floor(out, FLOOR_IP, t->ip, sizeof t->ip);
	else if (protocols[i].network)
		put_name(out, FLOOR_NETBIOS, t->host);
	return buf_error(out);
}
