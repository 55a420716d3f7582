#ifndef MW_MAPI_CONTEXT_H
#define MW_MAPI_CONTEXT_H

#include <stdbool.h>
#include <stdint.h>

struct mapi_session;

/*
 * What the layout of a ROP depends on beside its own bytes. Whoever walks a
 * buffer (mapi/rop_buffer.h) fills it for each ROP and puts it into
 * ndr->context. All arrays are borrowed. A NULL context means: nothing known,
 * a private logon.
 */
struct mapi_shape_context {
	/* The columns of a PropertyRow: of the table, of the paired request's tags, or those a ROP fixes. */
	const uint32_t *columns;
	uint16_t column_count;
	bool columns_known; /* false: rows are kept as bytes */
	/* RecipientColumns of the same ROP (set on the way), or of the message. */
	const uint32_t *recipient_columns;
	uint16_t recipient_column_count;
	bool recipient_columns_known;
	/* NULL, or who names folders and named properties to the tracer. */
	struct mapi_session *session;
	bool public_logon; /* the logon's LogonFlags lack 0x01 */
	/* Counts have the widths of extended rules ([MS-OXORULE] 2.2.5, [MS-OXCDATA] 2.11.1.1). */
	bool extended_rules;
	/* Values are in the form of the address book over HTTP ([MS-OXCMAPIHTTP] 2.2.1.1): what could be NULL says
	 * first whether it is there. With extended_rules' widths. */
	bool address_book;
};

#endif
