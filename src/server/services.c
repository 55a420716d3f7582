#include "server/service.h"

const struct service *const services[] = {
        &epm_service, &mgmt_service, &rfr_service, &nspi_service, &emsmdb_service, &asyncemsmdb_service, NULL,
};

int service_loops_init(struct server_loop *loop)
{
	int r = epm_loop_init(loop);
	return r < 0 ? r : emsmdb_loop_init(loop);
}

void service_loops_free(struct server_loop *loop)
{
	emsmdb_loop_free(loop);
	epm_loop_free(loop);
}
