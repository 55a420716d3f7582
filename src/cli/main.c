#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

#ifndef MAPIWIRE_VERSION
#error "the build sets MAPIWIRE_VERSION"
#endif

static void overview(FILE *to)
{
	fputs("mapiwire: Outlook's RPC, served, spoken and seen\n\nUsage: mapiwire COMMAND [OPTIONS]\n\n", to);
	for (const struct cli_command *c = cli_commands; c->name; c++)
		fprintf(to, "  %-6s %s\n", c->name, c->line);
	fputs("\n'mapiwire COMMAND --help' tells a command's options; 'man mapiwire' has the whole.\n", to);
}

static const struct cli_command *find_command(const char *name)
{
	for (const struct cli_command *c = cli_commands; c->name; c++)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		overview(stderr);
		return CLI_EXIT_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
		overview(stdout);
		return 0;
	}
	if (strcmp(argv[1], "--version") == 0) {
		puts("mapiwire " MAPIWIRE_VERSION);
		return 0;
	}
	const struct cli_command *c = find_command(argv[1]);
	if (!c) {
		fprintf(stderr, "mapiwire: there is no command '%s': 'mapiwire --help' lists them.\n", argv[1]);
		return CLI_EXIT_USAGE;
	}
	return c->run(argc - 1, argv + 1);
}
