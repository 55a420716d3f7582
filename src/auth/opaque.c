#include "auth/provider.h"

#include <stdlib.h>

static void opaque_get_info(const struct auth_context *ctx, struct auth_info *out)
{
	(void)ctx;
	*out = (struct auth_info){.key = AUTH_KEY_UNSUPPORTED};
}

static size_t opaque_signature_size(const struct auth_context *ctx)
{
	(void)ctx;
	return 0;
}

static int opaque_check(struct auth_context *ctx, enum auth_side from, uint8_t *pdu, size_t pdu_len, size_t body,
                        size_t body_len, const uint8_t *signature, size_t signature_len)
{
	(void)from, (void)pdu, (void)pdu_len, (void)body, (void)body_len, (void)signature, (void)signature_len;
	return auth_level_signs(ctx->level) ? MW_E_STATE : 0;
}

static void opaque_destroy(struct auth_context *ctx)
{
	free(ctx);
}

static const struct auth_provider opaque_provider = {
        .get_info = opaque_get_info,
        .signature_size = opaque_signature_size,
        .check = opaque_check,
        .destroy = opaque_destroy,
};

int opaque_observer_new(enum auth_type type, enum auth_level level, struct auth_context **out)
{
	struct auth_context *ctx = calloc(1, sizeof *ctx);
	if (ctx == NULL)
		return MW_E_NOMEM;
	*ctx = (struct auth_context){&opaque_provider, AUTH_OBSERVER, type, level};
	*out = ctx;
	return 0;
}
