#ifndef MW_HTTP_AUTODISCOVER_PRIVATE_H
#define MW_HTTP_AUTODISCOVER_PRIVATE_H

#include "http/autodiscover.h"
#include "http/xml.h"

/* What the files of Autodiscover share. */

#define POX_SCHEMA "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"

/* "https://mail.demo.test:4443"; the port only where it is another than 443. */
void autodiscover_put_base(const struct autodiscover_site *site, struct buf *out);
/* The legacy DN of the server. */
void autodiscover_put_server_dn(const struct autodiscover_site *site, struct buf *out);
/* Where a mailbox is reached over MAPI over HTTP: "emsmdb" or "nspi". */
void autodiscover_put_mapi_url(const struct autodiscover_site *site, const struct guid *mailbox, const char *endpoint,
                               struct buf *out);

void autodiscover_pox(const struct autodiscover_request *request, const struct autodiscover_site *site, bool mapi_http,
                      int64_t now_ns, struct buf *out);
void autodiscover_pox_error(unsigned code, const char *message, int64_t now_ns, struct buf *out);
void autodiscover_soap(const struct autodiscover_request *request, const struct autodiscover_site *site,
                       struct buf *out);
void autodiscover_soap_fault(int error, const char *why, struct buf *out);

#endif
