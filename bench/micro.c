#include "micro.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	if (strcmp(what, "rows") == 0 && argc == 3) {
		rows_run(strtod(argv[2], NULL));
	} else if (strcmp(what, "cipher") == 0 && argc == 4) {
		cipher_run(argv[2], strtod(argv[3], NULL));
	} else if (strcmp(what, "sealed") == 0 && (argc == 5 || argc == 10)) {
		struct sealed_setup s = {
		        .provider = argv[2], .server_core = atoi(argv[3]), .seconds = strtod(argv[4], NULL)};
		if (argc == 10) {
			s.keytab = argv[5];
			s.target = argv[6];
			s.user = argv[7];
			s.realm = argv[8];
			s.password = argv[9];
		}
		sealed_run(&s);
	} else {
		fputs("usage: micro rows SECONDS\n"
		      "       micro cipher ntlm|kerberos SECONDS\n"
		      "       micro sealed none|ntlm|kerberos SERVER_CORE SECONDS [KEYTAB TARGET USER REALM "
		      "PASSWORD]\n",
		      stderr);
		return 2;
	}
	return 0;
}
