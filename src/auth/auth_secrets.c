#include "auth/auth_secrets.h"

#include "base/secret.h"

#include <stdlib.h>
#include <string.h>

#define MAX_TEXT ((size_t)1 << 20)

void auth_secrets_free(struct auth_secrets *secrets)
{
	if (secrets->list != NULL)
		secret_wipe(secrets->list, secrets->count * sizeof *secrets->list);
	if (secrets->text != NULL)
		secret_wipe(secrets->text, secrets->text_size);
	free(secrets->list);
	free(secrets->text);
	*secrets = (struct auth_secrets){0};
}

static size_t count_lines(const char *text, size_t len)
{
	size_t lines = 1;
	for (size_t i = 0; i < len; i++)
		lines += text[i] == '\n';
	return lines;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The word at *at, ended with a NUL; *at moves behind the one blank that follows it. */
static char *take_word(char **at)
{
	while (is_blank(**at))
		(*at)++;
	char *word = *at;
	while (**at != '\0' && !is_blank(**at))
		(*at)++;
	if (**at != '\0')
		*(*at)++ = '\0';
	return word;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool parse_key(char *rest, uint8_t key[16])
{
	const char *word = take_word(&rest);
	if (strlen(word) != 32 || *take_word(&rest) != '\0')
		return false;
	for (int i = 0; i < 16; i++) {
		int high = hex_digit(word[2 * i]), low = hex_digit(word[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		key[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static void split_name(char *name, struct auth_secret *out)
{
	char *slash = strchr(name, '\\');
	out->domain = slash != NULL ? name : "";
	out->user = slash != NULL ? slash + 1 : name;
	if (slash != NULL)
		*slash = '\0';
}

/* NULL when the line is a secret, else what is wrong with it. */
static const char *parse_line(char *line, struct auth_secret *out)
{
	const char *kind = take_word(&line);
	split_name(take_word(&line), out);
	bool is_password = strcmp(kind, "password") == 0, is_hash = strcmp(kind, "nthash") == 0;
	if (!is_password && !is_hash && strcmp(kind, "sessionkey") != 0)
		return "a line begins with password, nthash, sessionkey or keytab";
	if (*out->user == '\0')
		return "the user is missing; write DOMAIN\\user";
	out->kind = is_password ? AUTH_SECRET_PASSWORD : is_hash ? AUTH_SECRET_NTHASH : AUTH_SECRET_SESSION_KEY;
	if (is_password) {
		out->password = line;
		return NULL;
	}
	return parse_key(line, out->key) ? NULL : "the key must be 32 hexadecimal digits";
}

/* Whether the line names the keytab; *what as parse_line. */
static bool is_keytab(char *line, struct auth_secrets *secrets, const char **what)
{
	static const char kind[] = "keytab";
	while (is_blank(*line))
		line++;
	if (strncmp(line, kind, sizeof kind - 1) != 0 || !(is_blank(line[6]) || line[6] == '\0'))
		return false;
	for (line += 6; is_blank(*line);)
		line++;
	*what = *line == '\0' ? "the keytab's path is missing" : secrets->keytab != NULL ? "a second keytab" : NULL;
	secrets->keytab = line;
	return true;
}

static bool is_skipped(const char *line)
{
	while (is_blank(*line))
		line++;
	return *line == '\0' || *line == '#';
}

/* The line at *at, without its end; *at moves to the next, or becomes NULL after the last. */
static char *take_line(char **at)
{
	char *line = *at, *end = strchr(line, '\n');
	*at = end != NULL ? end + 1 : NULL;
	if (end == NULL)
		end = line + strlen(line);
	*end = '\0';
	if (end > line && end[-1] == '\r')
		end[-1] = '\0';
	return line;
}

static int parse_lines(struct auth_secrets *secrets, struct auth_secrets_error *error)
{
	char *at = secrets->text;
	if (strncmp(at, "\xef\xbb\xbf", 3) == 0)
		at += 3;
	for (unsigned number = 1; at != NULL; number++) {
		char *line = take_line(&at);
		if (is_skipped(line))
			continue;
		const char *what;
		if (!is_keytab(line, secrets, &what))
			what = parse_line(line, &secrets->list[secrets->count++]);
		if (what != NULL) {
			*error = (struct auth_secrets_error){number, what};
			return MW_E_INVALID;
		}
	}
	return 0;
}

int auth_secrets_parse(const char *text, size_t len, struct auth_secrets *out, struct auth_secrets_error *error)
{
	if (len > MAX_TEXT)
		return MW_E_LIMIT;
	if (memchr(text, '\0', len) != NULL) {
		*error = (struct auth_secrets_error){1, "this is not a text file"};
		return MW_E_INVALID;
	}
	struct auth_secrets secrets = {.text_size = len + 1};
	secrets.text = malloc(len + 1);
	secrets.list = calloc(count_lines(text, len), sizeof *secrets.list);
	int r = secrets.text != NULL && secrets.list != NULL ? 0 : MW_E_NOMEM;
	if (r == 0) {
		memcpy(secrets.text, text, len);
		secrets.text[len] = '\0';
		r = parse_lines(&secrets, error);
	}
	if (r < 0) {
		auth_secrets_free(&secrets);
		return r;
	}
	*out = secrets;
	return 0;
}
