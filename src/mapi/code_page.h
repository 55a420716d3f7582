#ifndef MW_MAPI_CODE_PAGE_H
#define MW_MAPI_CODE_PAGE_H

#include "base/arena.h"

#include <stdint.h>

/*
 * Windows code pages ([MS-UCODEREF] 2.2.1) and UTF-16. 0 and 0x0FFF (the
 * logon's own, where nobody told it) are taken for 1252. What a code page cannot
 * express becomes '?', bytes without meaning U+FFFD. NULL when out of memory or
 * when ICU lacks the code page.
 */
uint16_t *code_page_to_utf16(struct arena *arena, uint32_t code_page, const char *s);
char *code_page_from_utf16(struct arena *arena, uint32_t code_page, const uint16_t *s);

#endif
