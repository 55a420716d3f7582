#ifndef TEST_NDR_MESSAGES_H
#define TEST_NDR_MESSAGES_H

#include "ndr/ndr.h"

/* A message, its description, its bytes and what the printer makes of it. */
struct message {
	const char *name;
	const char *idl;  /* what stands inside an interface, or a whole one */
	const char *item; /* the method, or "struct NAME" */
	enum ndr_syntax syntax;
	const char *request;    /* NULL: hex is a request; else hex is the response to it */
	const char *hex;        /* numbers of impacket and Windows come with our zero in the gaps */
	const char *again;      /* what encoding yields; NULL: hex */
	const char *big_endian; /* the same in big-endian; may be NULL */
	const char *print;      /* NULL: any */
};

#define EPT_IDL                                                                                                        \
	"typedef struct { unsigned long tower_length; [size_is(tower_length)] byte tower_octet_string[]; } twr_t, "    \
	"*twr_p_t;"                                                                                                    \
	"typedef [ptr] twr_t *twr_ptr_t; typedef [context_handle] void *handle;"                                       \
	"void ept_map([in] handle_t h, [in, ptr] GUID *object, [in] twr_ptr_t map_tower, [in, out] handle *entry, "    \
	"[in] unsigned long max_towers, [out] unsigned long *num_towers, "                                             \
	"[out, length_is(*num_towers), size_is(max_towers)] twr_ptr_t towers[], [out] error_status_t *status);"

/* What both towers begin with; then the port and the address. */
#define TOWER(tail)                                                                                                    \
	"4b0000004b000000 050013000d185accf564421a108c5908002b2f84263800020000001300 "                                 \
	"0d045d888aeb1cc9119fe808002b104860"                                                                           \
	"0200020000000100 0b020000000100070200" tail

#define LSA_IDL                                                                                                        \
	"typedef struct { unsigned short Length; unsigned short MaximumLength;"                                        \
	" [size_is(MaximumLength / 2), length_is(Length / 2)] wchar_t *Buffer; } STR;"                                 \
	"typedef struct { long Use; unsigned long RelativeId; long DomainIndex; } SID1;"                               \
	"typedef struct { [range(0, 1000)] unsigned long Entries; [size_is(Entries)] SID1 *Sids; } SIDS;"              \
	"typedef [context_handle] void *handle;"                                                                       \
	"long LsarLookupNames([in] handle PolicyHandle, [in, range(0, 1000)] unsigned long Count,"                     \
	" [in, size_is(Count)] STR Names[], [in, out] SIDS *TranslatedSids, [in] unsigned short LookupLevel,"          \
	" [in, out] unsigned long *MappedCount);"

static const struct message messages[] = {
        {
                .name = "ept_map request of a real Outlook: full pointers, a conformant struct",
                .idl = EPT_IDL,
                .item = "ept_map",
                .hex = "01000000 00000000000000000000000000000000 02000000" TOWER(
                        "0087 010009040000000000 00 0000000000000000000000000000000000000000 04000000"),
                .again = "00000200 00000000000000000000000000000000 04000200" TOWER(
                        "0087 010009040000000000 00 0000000000000000000000000000000000000000 04000000"),
                .print = "     4     16  object = 00000000-0000-0000-0000-000000000000\n"
                         "    28      0  map_tower\n"
                         "    28      4    tower_length = 75\n"
                         "    32     75    tower_octet_string = "
                         "050013000d185accf564421a108c5908002b2f84263800020000001300"
                         "0d045d… (75 bytes)\n"
                         "   108     20  entry = 00000000-0000-0000-0000-000000000000\n"
                         "   128      4  max_towers = 4\n",
        },
        {
                .name = "ept_map response of a real Exchange: a conformant varying array of pointers",
                .idl = EPT_IDL,
                .item = "ept_map",
                .request = "01000000 00000000000000000000000000000000 02000000" TOWER(
                        "0087 010009040000000000 00 0000000000000000000000000000000000000000 04000000"),
                .hex = "0000000000000000000000000000000000000000 01000000 04000000 00000000 01000000 03000000" TOWER(
                        "1385 0100090400c0a80002 00 00000000"),
                .again = "0000000000000000000000000000000000000000 01000000 04000000 00000000 01000000 "
                         "00000800" TOWER("1385 0100090400c0a80002 00 00000000"),
                .print = "     0     20  entry = 00000000-0000-0000-0000-000000000000\n"
                         "    20      4  num_towers = 1\n"
                         "    36      0  towers\n"
                         "    44      0    [0]\n"
                         "    44      4      tower_length = 75\n"
                         "    48     75      tower_octet_string = "
                         "050013000d185accf564421a108c5908002b2f842638000200000013000d045d… (75 bytes)\n"
                         "   124      4  status = 0x00000000\n",
        },
        {
                .name = "LsarLookupNames as impacket writes it: pointers in an array of structs, deferred",
                .idl = LSA_IDL,
                .item = "LsarLookupNames",
                .hex = "0101010101010101010101010101010101010101 02000000 02000000 0a000a00 04000200 06000600 08000200"
                       "05000000 00000000 05000000 61006c00690063006500 0000 03000000 00000000 03000000 62006f006200 "
                       "0000"
                       "00000000 00000000 0100 0000 00000000",
                .again = "0101010101010101010101010101010101010101 02000000 02000000 0a000a00 00000200 06000600 "
                         "04000200 05000000 00000000 05000000 61006c00690063006500 0000 03000000 00000000 03000000 "
                         "62006f006200 0000 00000000 00000000 0100 0000 00000000",
                .print = "     0     20  PolicyHandle = 01010101-0101-0101-0101-010101010101 attributes 0x01010101\n"
                         "    20      4  Count = 2\n"
                         "    28      0  Names\n"
                         "    28      0    [0]\n"
                         "    28      2      Length = 10\n"
                         "    30      2      MaximumLength = 10\n"
                         "    56     10      Buffer = \"alice\"\n"
                         "    36      0    [1]\n"
                         "    36      2      Length = 6\n"
                         "    38      2      MaximumLength = 6\n"
                         "    80      6      Buffer = \"bob\"\n"
                         "    88      0  TranslatedSids\n"
                         "    88      4    Entries = 0\n"
                         "    92      4    Sids = NULL\n"
                         "    96      2  LookupLevel = 1\n"
                         "   100      4  MappedCount = 0\n",
        },
        {
                .name = "SamrLookupIdsInDomain as impacket writes it: max_count other than actual_count",
                .idl = "typedef [context_handle] void *handle;"
                       "long SamrLookupIdsInDomain([in] handle DomainHandle, [in, range(0, 1000)] unsigned long Count,"
                       " [in, size_is(1000), length_is(Count)] unsigned long *RelativeIds);",
                .item = "SamrLookupIdsInDomain",
                .hex = "0202020202020202020202020202020202020202 03000000 e8030000 00000000 03000000 f4010000 f5010000"
                       "f6010000",
                .print = "     0     20  DomainHandle = 02020202-0202-0202-0202-020202020202 attributes 0x02020202\n"
                         "    20      4  Count = 3\n"
                         "    36      0  RelativeIds\n"
                         "    36      4    [0] = 500\n"
                         "    40      4    [1] = 501\n"
                         "    44      4    [2] = 502\n",
        },
        {
                .name = "SamrConnect5 as impacket writes it: string, union under an earlier parameter",
                .idl = "typedef struct { unsigned long Revision; unsigned long SupportedFeatures; } V1;"
                       "typedef [switch_type(unsigned long)] union { [case(1)] V1 V1; } INFO;"
                       "long SamrConnect5([in, unique, string] wchar_t *ServerName, [in] unsigned long DesiredAccess,"
                       " [in] unsigned long InVersion, [in, switch_is(InVersion)] INFO *InRevisionInfo);",
                .item = "SamrConnect5",
                .hex = "00000200 05000000 00000000 05000000 68006f00730074000000 0000 30000000 01000000 01000000 "
                       "03000000"
                       "00000000",
                .print = "    16     10  ServerName = \"host\"\n"
                         "    28      4  DesiredAccess = 48\n"
                         "    32      4  InVersion = 1\n"
                         "    40      0  InRevisionInfo\n"
                         "    40      0    V1\n"
                         "    40      4      Revision = 3\n"
                         "    44      4      SupportedFeatures = 0\n",
        },
        {
                .name = "max_count of a nested conformant struct stands before the outermost one (C706 14.3.7.2)",
                .idl = "typedef struct { short n; [size_is(n)] hyper v[]; } INNER;"
                       "typedef struct { char a; INNER inner; } OUTER;"
                       "void f([in, unique] OUTER *p, [in] char z);",
                .item = "f",
                .hex = "00000200 02000000 41 00000000000000 0200 000000000000 0100000000000000 0200000000000000 5a",
                .big_endian =
                        "00020000 00000002 41 00000000000000 0002 000000000000 0000000000000001 0000000000000002 5a",
                .print = "     8      0  p\n"
                         "     8      1    a = 'A'\n"
                         "    16      0    inner\n"
                         "    16      2      n = 2\n"
                         "    24      0      v\n"
                         "    24      8        [0] = 1\n"
                         "    32      8        [1] = 2\n"
                         "    40      1  z = 'Z'\n",
        },
        {
                .name = "pointees follow depth first, in order (C706 14.3.12.3)",
                .idl = "typedef struct S { long x; struct S *a; long *b; } S;"
                       "typedef struct { S first; long *last; S second; } T;"
                       "void f([in] T *t, [in] long end);",
                .item = "f",
                .hex = "01000000 00000200 04000200 08000200 02000000 00000000 0c000200"
                       "03000000 00000000 10000200 1e000000 0a000000 63000000 14000000 ee000000",
                .big_endian = "00000001 00020000 00020004 00020008 00000002 00000000 0002000c"
                              "00000003 00000000 00020010 0000001e 0000000a 00000063 00000014 000000ee",
                .print = "     0      0  t\n"
                         "     0      0    first\n"
                         "     0      4      x = 1\n"
                         "    28      0      a\n"
                         "    28      4        x = 3\n"
                         "    32      4        a = NULL\n"
                         "    40      4        b = 30\n"
                         "    44      4      b = 10\n"
                         "    48      4    last = 99\n"
                         "    16      0    second\n"
                         "    16      4      x = 2\n"
                         "    20      4      a = NULL\n"
                         "    52      4      b = 20\n"
                         "    56      4  end = 238\n",
        },
        {
                .name = "full pointers share a referent and may point back",
                .idl = "typedef struct S { long x; [ptr] struct S *next; } S;"
                       "void f([in, ptr] S *a, [in, ptr] S *b);",
                .item = "f",
                .hex = "00000200 01000000 04000200 02000000 00000200 04000200",
                .print = "     4      0  a\n"
                         "     4      4    x = 1\n"
                         "    12      0    next\n"
                         "    12      4      x = 2\n"
                         "    20      0      next = same as 0x00020000 above\n"
                         "    24      0  b = same as 0x00020004 above\n",
        },
        {
                .name = "strings: in a fixed array, by embedded pointers, in arrays of pointers, ignored pointers",
                .idl = "typedef struct { [string] char annotation[64]; [string] wchar_t *w; [ignore] void *nothing;"
                       " long n; [size_is(n), string] char **list; } S;"
                       "void f([in] S *s);",
                .item = "f",
                .hex = "00000000 03000000 616200 00 00000200 34120000 02000000 04000200"
                       "03000000 00000000 03000000 e400ac200000 0000"
                       "02000000 08000200 00000000 01000000 00000000 01000000 00",
                .again = "00000000 03000000 616200 00 00000200 00000000 02000000 04000200"
                         "03000000 00000000 03000000 e400ac200000 0000"
                         "02000000 08000200 00000000 01000000 00000000 01000000 00",
                .print = "     0      0  s\n"
                         "     8      3    annotation = \"ab\"\n"
                         "    40      6    w = \"ä€\"\n"
                         "    16      4    nothing = ignored\n"
                         "    20      4    n = 2\n"
                         "    52      0    list\n"
                         "    72      1      [0] = \"\"\n"
                         "    56      4      [1] = NULL\n",
        },
        {
                .name = "numbers of all sizes, enums, floats, GUIDs, arrays in place",
                .idl = "typedef enum { RED = 1, BLUE = 2 } COLOUR; typedef [v1_enum] enum { BIG = 70000 } WIDE;"
                       "typedef struct { byte b; hyper h; short s; COLOUR c; WIDE w; float f; double d; GUID g;"
                       " unsigned short v[3]; byte raw[3]; boolean yes; } S;"
                       "void f([in] S *s, [in] small t);",
                .item = "f",
                .hex = "7f 00000000000000 feffffffffffffff fdff 0200 70110100 0000c03f 00000000 0000000000000cc0"
                       "00112233445566778899aabbccddeeff 0100 0200 ffff 010203 01 ff",
                .print = NULL,
        },
        {
                .name = "unions: encapsulated, default arm, an arm with a pointer",
                .idl = "typedef union switch (short tag) u { case 1: hyper h; case 2: case 3: long *p; default: ; } U;"
                       "typedef [switch_type(short)] union { [case(7)] char c; [default] ; } V;"
                       "typedef struct { U a; U b; U c; short k; [switch_is(k)] V v; } S;"
                       "void f([in] S *s);",
                .item = "f",
                .hex = "0100 000000000000 0500000000000000 0300 0000 00000200 0900 0700 0700 43 00 2a000000",
                .print = NULL,
        },
        {
                .name = "unions behind pointers",
                .idl = "typedef [switch_type(short)] union { [case(1)] long a; [case(2)] byte b; } U;"
                       "typedef struct { short k; [switch_is(k)] U *p; } S;"
                       "void f([in] S *s, [in] short k, [in, switch_is(k)] U **q, [in, switch_is(k)] U r);",
                .item = "f",
                .hex = "0200 0000 00000200 0200 07 00 0200 0000 04000200 0200 08 00 0200 09",
                .print = NULL,
        },
        {
                .name = "ms_union: the arm stands where the largest would (MS-RPCE 2.2.4.5), as "
                        "LsarQueryInformationPolicy has it",
                .idl = "[uuid(12345678-1234-1234-1234-123456789abc), version(0.0), ms_union] interface t {"
                       "typedef [switch_type(short)] union { [case(6)] short role; [case(3)] long *p; } U;"
                       "void f([in] long level, [in, switch_is(level)] U *u); }",
                .item = "f",
                .hex = "06000000 0600 0000 0300",
                .print = NULL,
        },
        {
                .name = "the count comes after the array; an empty array is not a null pointer",
                .idl = "typedef struct { [size_is(n)] short *p; [size_is(m)] short *q; long n; short m; } S;"
                       "void f([in] S *s, [in, size_is(k)] byte raw[], [in] long k);",
                .item = "f",
                .hex = "00000200 04000200 03000000 0000 0000 03000000 010002000300 0000 00000000 04000000 deadbeef "
                       "04000000",
                .big_endian =
                        "00020000 00020004 00000003 0000 0000 00000003 000100020003 0000 00000000 00000004 deadbeef"
                        "00000004",
                .print = "     0      0  s\n"
                         "    20      0    p\n"
                         "    20      2      [0] = 1\n"
                         "    22      2      [1] = 2\n"
                         "    24      2      [2] = 3\n"
                         "    32      0    q\n"
                         "     8      4    n = 3\n"
                         "    12      2    m = 0\n"
                         "    36      4  raw = deadbeef\n"
                         "    40      4  k = 4\n",
        },
        {
                .name = "NDR64: counts and referents of 8 bytes, wide enums, gaps at the end",
                .idl = "typedef enum { ONE = 1 } E; typedef struct { E e; [size_is(n)] short *p; char n; } S;"
                       "void f([in] S *s, [in, unique, string] char *t, [in] long end);",
                .item = "f",
                .syntax = NDR_64,
                .hex = "01000000 00000000 0000020000000000 02 00000000000000 0200000000000000 0100 0200 00000000"
                       "0400020000000000 0300000000000000 0000000000000000 0300000000000000 686900 00 09000000",
                .print = "     0      0  s\n"
                         "     0      4    e = ONE (1)\n"
                         "    32      0    p\n"
                         "    32      2      [0] = 1\n"
                         "    34      2      [1] = 2\n"
                         "    16      1    n = 2\n"
                         "    72      3  t = \"hi\"\n"
                         "    76      4  end = 9\n",
        },
        {
                .name = "packed: fields present by others, an early end",
                .idl = "[packed] struct R { uint8 RopId; [status, ends_if(Value != 0)] uint32 Value;"
                       " [present_if(RopId == 2)] uint16 a; [ends_if(b == 0)] uint8 b; uint16 n;"
                       " [size_is(n)] str8z names[]; };",
                .item = "struct R",
                .syntax = NDR_PACKED,
                .hex = "02 00000000 3412 01 0200 616200 00",
                .print = "     0      0  R\n"
                         "     0      1    RopId = 2\n"
                         "     1      4    Value = 0x00000000\n"
                         "     5      2    a = 4660\n"
                         "     7      1    b = 1\n"
                         "     8      2    n = 2\n"
                         "    10      0    names\n"
                         "    10      3      [0] = \"ab\"\n"
                         "    13      1      [1] = \"\"\n",
        },
        {
                .name = "packed: ended by a status",
                .idl = "[packed] struct R { uint8 RopId; [status, ends_if(Value != 0)] uint32 Value; uint16 n; };",
                .item = "struct R",
                .syntax = NDR_PACKED,
                .hex = "02 ff040480",
                .print = "     0      0  R\n"
                         "     0      1    RopId = 2\n"
                         "     1      4    Value = 0x800404ff\n",
        },
        {
                .name = "packed: bounds skip a surplus, the true size is written back",
                .idl = "[packed] struct I { uint16 x; str16z s; }; "
                       "[packed] struct R { uint16 size; [bound_is(size)] struct I inner; uint8 none;"
                       " [bound_is(none)] struct I absent; uint8 end; };",
                .item = "struct R",
                .syntax = NDR_PACKED,
                .hex = "0a00 0100 6100 0000 eeeeeeee 00 7f",
                .again = "0600 0100 6100 0000 00 7f",
                .print = "     0      0  R\n"
                         "     0      2    size = 10\n"
                         "     2      0    inner\n"
                         "     2      2      x = 1\n"
                         "     4      4      s = \"a\"\n"
                         "    12      1    none = 0\n"
                         "    13      1    end = 127\n",
        },
        {
                .name = "packed: until the end, counted by a field that is not on the wire",
                .idl = "[packed] struct I { uint8 n; [size_is(n)] uint8 b[]; }; "
                       "[packed] struct R { [present_if(0)] uint32 count; [until_end, size_is(count)] struct I "
                       "items[]; };",
                .item = "struct R",
                .syntax = NDR_PACKED,
                .hex = "01 aa 00 02 bbcc",
                .print = NULL,
        },
};

#define message_count ARRAY_SIZE(messages)

#endif
