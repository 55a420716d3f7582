#include "mime/private.h"

/* Windows code pages and the names that MIME has for their charsets: [MS-UCODEREF] 2.2.1. */

static const struct {
	uint32_t page;
	const char *name;
} charsets[] = {
        {65001, "utf-8"},        {20127, "us-ascii"},    {28591, "iso-8859-1"},
        {28592, "iso-8859-2"},   {28593, "iso-8859-3"},  {28594, "iso-8859-4"},
        {28595, "iso-8859-5"},   {28596, "iso-8859-6"},  {28597, "iso-8859-7"},
        {28598, "iso-8859-8"},   {28599, "iso-8859-9"},  {28603, "iso-8859-13"},
        {28605, "iso-8859-15"},  {1250, "windows-1250"}, {1251, "windows-1251"},
        {1252, "windows-1252"},  {1253, "windows-1253"}, {1254, "windows-1254"},
        {1255, "windows-1255"},  {1256, "windows-1256"}, {1257, "windows-1257"},
        {1258, "windows-1258"},  {20866, "koi8-r"},      {21866, "koi8-u"},
        {932, "shift_jis"},      {50220, "iso-2022-jp"}, {51932, "euc-jp"},
        {936, "gb2312"},         {54936, "gb18030"},     {950, "big5"},
        {949, "ks_c_5601-1987"}, {51949, "euc-kr"},      {874, "windows-874"},
        {65001, "utf8"},         {936, "gbk"},           {20127, "ascii"},
        {28591, "latin1"},       {54936, "gb-18030"},
};

uint32_t mime_code_page(const char *charset)
{
	for (size_t i = 0; i < G_N_ELEMENTS(charsets); i++)
		if (g_ascii_strcasecmp(charsets[i].name, charset) == 0)
			return charsets[i].page;
	return 0;
}

const char *mime_charset(uint32_t code_page)
{
	for (size_t i = 0; i < G_N_ELEMENTS(charsets); i++)
		if (charsets[i].page == code_page)
			return charsets[i].name;
	return NULL;
}
