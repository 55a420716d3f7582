#include "idl/private.h"

/*
 * The names that published IDL takes for granted: MIDL's own types, those of
 * C706 and the scalars of [MS-DTYP] 2.2. What follows from them (pointer names,
 * structs) is the prelude, written in IDL.
 */

enum { SIGNED = 1, TEXT = 2, HEX = 4, STATUS = 8 };

struct base {
	const char *name;
	uint8_t size;
	uint8_t flags;
};

static const struct base bases[] = {
        {"char", 1, TEXT},
        {"CHAR", 1, TEXT},
        {"wchar_t", 2, TEXT},
        {"WCHAR", 2, TEXT},
        {"OLECHAR", 2, TEXT},
        {"byte", 1, HEX},
        {"BYTE", 1, HEX},
        {"boolean", 1, 0},
        {"BOOLEAN", 1, 0},
        {"UCHAR", 1, 0},
        {"uint8", 1, 0},
        {"uint8_t", 1, 0},
        {"UINT8", 1, 0},
        {"unsigned8", 1, 0},
        {"__uint8", 1, 0},
        {"int8", 1, SIGNED},
        {"int8_t", 1, SIGNED},
        {"INT8", 1, SIGNED},
        {"USHORT", 2, 0},
        {"WORD", 2, 0},
        {"uint16", 2, 0},
        {"uint16_t", 2, 0},
        {"UINT16", 2, 0},
        {"unsigned16", 2, 0},
        {"SHORT", 2, SIGNED},
        {"int16", 2, SIGNED},
        {"int16_t", 2, SIGNED},
        {"INT16", 2, SIGNED},
        {"VARIANT_BOOL", 2, SIGNED},
        {"ULONG", 4, 0},
        {"DWORD", 4, 0},
        {"DWORD32", 4, 0},
        {"UINT", 4, 0},
        {"uint32", 4, 0},
        {"uint32_t", 4, 0},
        {"UINT32", 4, 0},
        {"ULONG32", 4, 0},
        {"unsigned32", 4, 0},
        {"LCID", 4, 0},
        {"HCALL", 4, 0},
        {"ULONG_PTR", 4, 0},
        {"DWORD_PTR", 4, 0},
        {"UINT_PTR", 4, 0},
        {"SIZE_T", 4, 0},
        {"ACCESS_MASK", 4, HEX},
        {"SECURITY_INFORMATION", 4, HEX},
        {"LONG", 4, SIGNED},
        {"LONG32", 4, SIGNED},
        {"LONG_PTR", 4, SIGNED},
        {"INT", 4, SIGNED},
        {"int32", 4, SIGNED},
        {"int32_t", 4, SIGNED},
        {"INT32", 4, SIGNED},
        {"BOOL", 4, SIGNED},
        {"HRESULT", 4, STATUS | HEX},
        {"SCODE", 4, STATUS | HEX},
        {"NTSTATUS", 4, STATUS | HEX},
        {"NET_API_STATUS", 4, STATUS},
        {"error_status_t", 4, STATUS | HEX},
        {"ULONGLONG", 8, 0},
        {"DWORDLONG", 8, 0},
        {"DWORD64", 8, 0},
        {"ULONG64", 8, 0},
        {"UINT64", 8, 0},
        {"QWORD", 8, 0},
        {"uint64", 8, 0},
        {"uint64_t", 8, 0},
        {"unsigned64", 8, 0},
        {"LONGLONG", 8, SIGNED},
        {"LONG64", 8, SIGNED},
        {"INT64", 8, SIGNED},
        {"int64", 8, SIGNED},
        {"int64_t", 8, SIGNED},
};

/* Layouts of [MS-DTYP] 2.3 and 2.4; a text that defines these names itself is believed. */
const char idl_prelude[] =
        "const BOOL TRUE = 1; const BOOL FALSE = 0;"
        "typedef BOOL *PBOOL, *LPBOOL; typedef BYTE *PBYTE, *LPBYTE; typedef BOOLEAN *PBOOLEAN;"
        "typedef UCHAR *PUCHAR; typedef CHAR *PCHAR, *PSTR, *LPSTR, *LPCSTR;"
        "typedef WCHAR *PWCHAR, *PWSTR, *LPWSTR, *LPCWSTR, *LMSTR, *LMCSTR, *PCWSTR;"
        "typedef [string] OLECHAR *LPOLESTR, *LPCOLESTR;"
        "typedef USHORT *PUSHORT; typedef WORD *PWORD, *LPWORD; typedef SHORT *PSHORT;"
        "typedef ULONG *PULONG; typedef DWORD *PDWORD, *LPDWORD; typedef LONG *PLONG, *LPLONG;"
        "typedef UINT *PUINT; typedef INT *PINT, *LPINT; typedef DWORD_PTR *PDWORD_PTR; typedef ULONG_PTR *PULONG_PTR;"
        "typedef ULONGLONG *PULONGLONG; typedef DWORDLONG *PDWORDLONG; typedef DWORD64 *PDWORD64;"
        "typedef LONG64 *PLONG64; typedef ACCESS_MASK *PACCESS_MASK;"
        "typedef SECURITY_INFORMATION *PSECURITY_INFORMATION;"
        "typedef double DOUBLE, DATE; typedef float FLOAT;"
        "typedef void *PVOID, *LPVOID, *LPCVOID, *HANDLE;"
        "typedef [context_handle] void *PCONTEXT_HANDLE; typedef [ref] PCONTEXT_HANDLE *PPCONTEXT_HANDLE;"
        "typedef GUID *PGUID, *LPGUID, *REFGUID, *REFIID, *REFCLSID; typedef UUID *PUUID;"
        "typedef struct _FILETIME { DWORD dwLowDateTime; DWORD dwHighDateTime; } FILETIME, *PFILETIME, *LPFILETIME;"
        "typedef struct _LARGE_INTEGER { INT64 QuadPart; } LARGE_INTEGER, *PLARGE_INTEGER;"
        "typedef struct _ULARGE_INTEGER { UINT64 QuadPart; } ULARGE_INTEGER, *PULARGE_INTEGER;"
        "typedef struct _LUID { DWORD LowPart; LONG HighPart; } LUID, *PLUID;"
        "typedef struct _SYSTEMTIME { WORD wYear; WORD wMonth; WORD wDayOfWeek; WORD wDay; WORD wHour;"
        " WORD wMinute; WORD wSecond; WORD wMilliseconds; } SYSTEMTIME, *PSYSTEMTIME;"
        "typedef struct _RPC_UNICODE_STRING { unsigned short Length; unsigned short MaximumLength;"
        " [size_is(MaximumLength / 2), length_is(Length / 2)] WCHAR *Buffer; }"
        " RPC_UNICODE_STRING, *PRPC_UNICODE_STRING;"
        "typedef struct _RPC_SID_IDENTIFIER_AUTHORITY { byte Value[6]; } RPC_SID_IDENTIFIER_AUTHORITY;"
        "typedef struct _RPC_SID { unsigned char Revision; unsigned char SubAuthorityCount;"
        " RPC_SID_IDENTIFIER_AUTHORITY IdentifierAuthority; [size_is(SubAuthorityCount)] unsigned long SubAuthority[]; "
        "}"
        " RPC_SID, *PRPC_SID, *PSID;"
        "interface IUnknown { void Opnum0NotUsedOnWire(); void Opnum1NotUsedOnWire(); void Opnum2NotUsedOnWire(); }"
        "interface IDispatch : IUnknown { void Opnum3NotUsedOnWire(); void Opnum4NotUsedOnWire();"
        " void Opnum5NotUsedOnWire(); void Opnum6NotUsedOnWire(); }";

struct idl_itype *idl_new_type(struct idl_parser *p, enum idl_kind kind, const char *name)
{
	struct idl_itype *t = idl_new(p, struct idl_itype);

	if (!t)
		return &p->spare;
	t->t.kind = kind;
	t->t.name = name;
	t->t.wire_align = t->t.wire_align64 = 1;
	t->t.align = 1;
	t->origin = p->origin;
	return t;
}

static struct idl_itype *scalar(struct idl_parser *p, enum idl_kind kind, const char *name, unsigned size)
{
	struct idl_itype *t = idl_new_type(p, kind, name);

	t->t.size = t->t.align = size;
	t->t.wire_size = t->t.wire_align = t->t.wire_align64 = (uint8_t)size;
	t->complete = true;
	return t;
}

struct idl_node *idl_node_of(struct idl_parser *p, struct idl_itype *type)
{
	struct idl_node *n = idl_new(p, struct idl_node);

	if (n)
		*n = (struct idl_node){.kind = NODE_TYPE, .type = type};
	return n;
}

static void define(struct idl_parser *p, const char *name, struct idl_itype *t, bool is_scalar)
{
	struct idl_typedef *d = idl_new(p, struct idl_typedef);
	struct idl_name *n = idl_intern(&p->lex, name, __builtin_strlen(name));

	if (!d || !n)
		return;
	*d = (struct idl_typedef){.name = n->text,
	                          .node = idl_node_of(p, t),
	                          .attrs = idl_new(p, struct idl_attrs),
	                          .named = t,
	                          .origin = IDL_BUILT_IN,
	                          .scalar = is_scalar};
	n->type = d;
}

struct idl_itype *idl_int_type(struct idl_parser *p, unsigned size, bool is_signed)
{
	static const char *const names[2][4] = {{"uint8", "uint16", "uint32", "uint64"},
	                                        {"int8", "int16", "int32", "int64"}};
	const char *name = names[is_signed][__builtin_ctz(size)];
	struct idl_name *n = idl_intern(&p->lex, name, __builtin_strlen(name));

	return n && n->type && n->type->named ? n->type->named : idl_new_type(p, IDL_INT, name);
}

struct idl_itype *idl_float_type(struct idl_parser *p, unsigned size)
{
	return scalar(p, IDL_FLOAT, size == 4 ? "float" : "double", size);
}

struct idl_itype *idl_hex_of(struct idl_parser *p, struct idl_itype *type)
{
	struct idl_itype *h;

	if (type->t.is_hex || type->t.kind != IDL_INT)
		return type;
	if (type->hex)
		return type->hex;
	h = idl_new_type(p, IDL_INT, NULL);
	*h = *type;
	h->t.is_hex = true;
	h->exported = false;
	h->origin = p->origin;
	h->emit_id = 0;
	type->hex = h;
	return h;
}

/* A zero-terminated string as a type of its own: str8z, str16z. */
static struct idl_itype *string_type(struct idl_parser *p, const char *name, struct idl_itype *element)
{
	struct idl_itype *t = idl_new_type(p, IDL_ARRAY, name);

	t->t.size = t->t.align = sizeof(void *);
	t->t.element = &element->t;
	t->t.array = IDL_ARRAY_STRING | IDL_ARRAY_CONFORMANT | IDL_ARRAY_VARYING;
	t->t.wire_align = 4;
	t->t.wire_align64 = 8;
	t->complete = true;
	return t;
}

static void init_special(struct idl_parser *p)
{
	struct idl_itype *guid = scalar(p, IDL_GUID, "GUID", 4), *ctx = scalar(p, IDL_CONTEXT_HANDLE, NULL, 4);
	static const char *const guids[] = {"GUID", "UUID", "uuid_t", "CLSID", "IID"};

	guid->t.size = sizeof(struct guid);
	ctx->t.size = sizeof(struct idl_context_handle);
	ctx->t.wire_size = guid->t.wire_size = 0;
	for (size_t i = 0; i < ARRAY_SIZE(guids); i++)
		define(p, guids[i], guid, true);
	p->guid_type = guid;
	p->context_type = ctx;
	p->void_type = scalar(p, IDL_VOID, "void", 0);
	p->void_type->t.align = p->void_type->t.wire_align = p->void_type->t.wire_align64 = 1;
	define(p, "void", p->void_type, true);
	p->handle_type = idl_new_type(p, IDL_VOID, "handle_t");
	p->handle_type->complete = true;
	define(p, "handle_t", p->handle_type, true);
	p->opaque_type = idl_new_type(p, IDL_OPAQUE, NULL);
	p->opaque_type->t.size = p->opaque_type->t.align = sizeof(void *);
	p->opaque_type->complete = true;
	p->string8_type = string_type(p, "str8z", p->char_type);
	p->string16_type = string_type(p, "str16z", p->wchar_type);
	define(p, "str8z", p->string8_type, true);
	define(p, "str16z", p->string16_type, true);
}

void idl_types_init(struct idl_parser *p)
{
	for (size_t i = 0; i < ARRAY_SIZE(bases); i++) {
		struct idl_itype *t = scalar(p, IDL_INT, bases[i].name, bases[i].size);

		t->t.is_signed = bases[i].flags & SIGNED;
		t->t.is_char = bases[i].flags & TEXT;
		t->t.is_hex = bases[i].flags & HEX;
		t->status = bases[i].flags & STATUS;
		define(p, bases[i].name, t, true);
		if (i == 0)
			p->char_type = t;
		else if (bases[i].flags & TEXT && bases[i].size == 2 && !p->wchar_type)
			p->wchar_type = t;
	}
	init_special(p);
}
