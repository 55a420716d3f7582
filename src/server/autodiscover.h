#ifndef MW_SERVER_AUTODISCOVER_H
#define MW_SERVER_AUTODISCOVER_H

#include "server/web.h"

/* Autodiscover's routes; http/autodiscover.h says what they answer. */
void autodiscover_xml_end(struct web_request *r);
void autodiscover_svc_end(struct web_request *r);
void autodiscover_json_end(struct web_request *r);
/* Before anybody is asked for a password: who comes without TLS is sent to where there is some. Whether it was. */
bool autodiscover_to_https(struct web_request *r);

#endif
