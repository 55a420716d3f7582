#include "base/time.h"
#include "cli/cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void MW_PRINTF(2, 0) say(const char *command, const char *format, va_list args)
{
	fprintf(stderr, "mapiwire %s: ", command);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
}

int cli_usage(const char *command, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	say(command, format, args);
	va_end(args);
	return CLI_EXIT_USAGE;
}

int cli_fail(const char *command, int code, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	say(command, format, args);
	va_end(args);
	return code;
}

static const struct cli_option *find_option(const struct cli_option *options, size_t count, const char *name,
                                            size_t len)
{
	for (size_t i = 0; i < count; i++)
		if (strlen(options[i].name) == len && memcmp(options[i].name, name, len) == 0)
			return &options[i];
	return NULL;
}

static bool parse_number(const char *text, unsigned long max, unsigned long *out)
{
	char *end;
	errno = 0;
	unsigned long v = strtoul(text, &end, 10);
	if (errno || end == text || *end || text[0] == '-' || v > max)
		return false;
	*out = v;
	return true;
}

static bool add_text(struct cli_list *list, const char *text)
{
	if (*list->count == list->max)
		return false;
	list->texts[(*list->count)++] = text;
	return true;
}

static bool set_option(const struct cli_option *o, const char *text)
{
	unsigned long n;
	char *end;
	double seconds;
	switch (o->kind) {
	case CLI_TEXT:
		*(const char **)o->value = text;
		return true;
	case CLI_LIST:
		return add_text((struct cli_list *)o->value, text);
	case CLI_NUMBER:
		return parse_number(text, 1000000000, &n) && (*(unsigned *)o->value = (unsigned)n, true);
	case CLI_PORT:
		return parse_number(text, 65535, &n) && (*(uint16_t *)o->value = (uint16_t)n, true);
	case CLI_SECONDS:
		seconds = strtod(text, &end);
		if (end == text || *end || !(seconds > 0) || seconds > 1e6)
			return false;
		*(int64_t *)o->value = (int64_t)(seconds * (double)NS_PER_S);
		return true;
	default:
		return false;
	}
}

static void print_help(const char *command)
{
	for (const struct cli_command *c = cli_commands; c->name; c++)
		if (strncmp(c->name, command, strlen(c->name)) == 0)
			fputs(c->help, stdout);
}

static int one_option(const char *command, int argc, char **argv, int *i, const struct cli_option *options,
                      size_t count)
{
	const char *name = argv[*i] + (argv[*i][1] == '-' ? 2 : 1);
	const char *equals = argv[*i][1] == '-' ? strchr(name, '=') : NULL;
	size_t len = equals ? (size_t)(equals - name) : strlen(name);
	const struct cli_option *o = find_option(options, count, name, len);
	if (!o)
		return 1 + cli_usage(command, "there is no option '%s': 'mapiwire %s --help' lists them.", argv[*i],
		                     command);
	if (o->kind == CLI_FLAG) {
		*(bool *)o->value = true;
		return equals ? 1 + cli_usage(command, "option '%.*s' takes no value.", (int)len, name) : 0;
	}
	const char *value = equals ? equals + 1 : *i + 1 < argc ? argv[++*i] : NULL;
	if (!value)
		return 1 + cli_usage(command, "option '%s' needs a value.", argv[*i]);
	if (!set_option(o, value))
		return 1 + cli_usage(command, "'%s' is no value for option '%.*s'.", value, (int)len, name);
	return 0;
}

int cli_parse(const char *command, int argc, char **argv, const struct cli_option *options, size_t option_count,
              const char **positional, size_t positional_max, size_t *positional_count)
{
	bool only_positional = false;
	*positional_count = 0;
	for (int i = 1; i < argc; i++) {
		if (!only_positional && strcmp(argv[i], "--") == 0) {
			only_positional = true;
		} else if (!only_positional && (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)) {
			print_help(command);
			return 1;
		} else if (!only_positional && argv[i][0] == '-' && argv[i][1]) {
			int r = one_option(command, argc, argv, &i, options, option_count);
			if (r != 0)
				return r;
		} else if (*positional_count < positional_max) {
			positional[(*positional_count)++] = argv[i];
		} else {
			return 1 + cli_usage(command, "'%s' is one argument too many.", argv[i]);
		}
	}
	return 0;
}
