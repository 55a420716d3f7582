#ifndef MW_SERVER_MONITOR_H
#define MW_SERVER_MONITOR_H

#include "server/web.h"

/* Routes of the monitor's port. */
void monitor_health(struct web_request *r);
void monitor_metrics(struct web_request *r);

#endif
