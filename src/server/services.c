#include "server/service.h"

#include "server/mapihttp/mapihttp.h"

const struct service *const services[] = {
        &epm_service, &mgmt_service, &rfr_service, &nspi_service, &emsmdb_service, &asyncemsmdb_service, NULL,
};

int service_loops_init(struct server_loop *loop)
{
	return emsmdb_loop_init(loop);
}

void service_loops_end(struct server_loop *loop)
{
	mapihttp_end(loop);
	emsmdb_loop_end(loop);
}

void service_loops_free(struct server_loop *loop)
{
	emsmdb_loop_free(loop);
}
