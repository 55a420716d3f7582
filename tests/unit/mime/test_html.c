#include "mime/mime.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void rows(void **state)
{
	static const struct {
		const char *html, *text;
	} table[] = {
	        {"", ""},
	        {"plain", "plain\n"},
	        {"<p>one</p><p>two</p>", "one\n\ntwo\n"},
	        {"a <b> b </b>c<br>d", "a b c\nd\n"},
	        {"<style>p{}</style><script>if (a<b) c();</script><title>t</title>x", "x\n"},
	        {"&lt;&amp;&#8364;&#x20ac;&auml;&nbsp;x &unknown; &", "<&€€ä x &unknown; &\n"},
	        {"<ul><li>one<li>two</ul>", "- one\n- two\n"},
	        {"<a href=\"x>y\">link</a><!-- a > b -->z", "linkz\n"},
	        {"1 < 2", "1 < 2\n"},
	        {"<pre>a\n b</pre>", "a\nb\n"},
	        {"<", ""},
	        {"<!", ""},
	        {"<p", ""},
	        {"&#x", "&#x\n"},
	        {"<!--", ""},
	};
	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		struct arena *arena = arena_new(0);
		assert_string_equal(mime_text_of_html(arena, table[i].html, strlen(table[i].html)), table[i].text);
		arena_free(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(rows)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
