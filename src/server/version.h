#ifndef MW_SERVER_VERSION_H
#define MW_SERVER_VERSION_H

/* The Exchange Server that clients take us for: 15.0.1497.0. What we do is theirs to find out by it,
 * [MS-OXCRPC] 3.1.4.1.3. */
#define SERVER_MAJOR 15
#define SERVER_MINOR 0
#define SERVER_BUILD 1497
#define SERVER_REVISION 0

#endif
