#ifndef MW_MAPI_STATUS_H
#define MW_MAPI_STATUS_H

#include <stdint.h>

/*
 * Codes on the wire: [MS-OXCDATA] 2.4, [MS-OXNSPI] 2.2.1.2, and the names of
 * these and other families (share/status.tsv) for people.
 */

enum mapi_status {
	/* Success and warnings */
	ecSuccess = 0x00000000,
	ecWarnWithErrors = 0x00040380,
	ecWarnPositionChanged = 0x00040481,
	ecWarnApproxCount = 0x00040482,
	ecPartialCompletion = 0x00040680,
	/* General */
	ecError = 0x80004005,
	ecNotSupported = 0x80040102,
	ecUnknownFlags = 0x80040106,
	ecBadCharwidth = 0x80040103,
	ecStringTooLarge = 0x80040105,
	ecInvalidEntryId = 0x80040107,
	ecInvalidObject = 0x80040108,
	ecObjectModified = 0x80040109,
	ecObjectDeleted = 0x8004010A,
	ecBusy = 0x8004010B,
	ecDiskFull = 0x8004010D,
	ecNotFound = 0x8004010F,
	ecVersion = 0x80040110,
	ecLoginFailure = 0x80040111,
	ecTooManySessions = 0x80040112,
	ecUnableToAbort = 0x80040114,
	ecRpcFailed = 0x80040115,
	ecTooComplex = 0x80040117,
	ecComputed = 0x8004011A,
	ecCorruptData = 0x8004011B,
	ecPropBadValue = 0x80040301,
	ecInvalidType = 0x80040302,
	ecTypeNotSupported = 0x80040303,
	ecPropType = 0x80040304,
	ecTooBig = 0x80040305,
	ecUnableToComplete = 0x80040400,
	ecTimeout = 0x80040401,
	ecTableEmpty = 0x80040402,
	ecTableTooBig = 0x80040403,
	ecInvalidBookmark = 0x80040405,
	ecWait = 0x80040500,
	ecCancel = 0x80040501,
	ecNotInQueue = 0x80040601,
	ecDuplicateName = 0x80040604,
	ecNotInitialized = 0x80040605,
	ecSubmitted = 0x80040608,
	ecFolderHasChildren = 0x80040609,
	ecFolderHasContents = 0x8004060A,
	ecRootFolder = 0x8004060B,
	ecAmbiguousRecip = 0x80040700,
	ecNotImplemented = 0x80040FFF,
	ecAccessDenied = 0x80070005,
	ecMAPIOOM = 0x8007000E,
	ecInvalidParam = 0x80070057,
	ecStreamSizeError = 0x80030070,
	/* Of the store */
	ecProfileNotConfigured = 0x0000011C,
	ecJetError = 0x000003EA,
	ecUnknownUser = 0x000003EB,
	ecExiting = 0x000003ED,
	ecBadConfig = 0x000003EE,
	ecUnknownCodePage = 0x000003EF,
	ecServerOOM = 0x000003F0,
	ecLoginPerm = 0x000003F2,
	ecBadVersion = 0x00000451,
	ecTooManyCols = 0x00000452,
	ecDatabaseError = 0x00000454,
	ecSearchFolder = 0x00000460,
	ecNotSearchFolder = 0x00000461,
	ecFolderSetReceive = 0x00000462,
	ecNoReceiveFolder = 0x00000463,
	ecNoDelSubmitMsg = 0x00000465,
	ecInvalidRecips = 0x00000467,
	ecNoReplicaHere = 0x00000468,
	ecNoReplicaAvailable = 0x00000469,
	ecDstError = 0x00000475,
	ecMDBNotInit = 0x00000476,
	ecWrongServer = 0x00000478,
	ecBufferTooSmall = 0x0000047D,
	ecServerPaused = 0x0000047F,
	ecServerBusy = 0x00000480,
	ecNoSuchLogon = 0x00000481,
	ecRpcFormat = 0x000004B6,
	ecNullObject = 0x000004B9,
	ecRpcAuthentication = 0x000004BC,
	ecRpcBadAuthenticationLevel = 0x000004BD,
	ecMessageTooBig = 0x000004D4,
	ecNotAuthorized = 0x000004D6,
	ecQuotaExceeded = 0x000004D9,
	ecMaxSubmissionExceeded = 0x000004DA,
	ecMaxAttachmentExceeded = 0x000004DB,
	ecSendAsDenied = 0x000004DC,
	ecShutoffQuotaExceeded = 0x000004DD,
	ecMaxObjsExceeded = 0x000004DE,
	ecClientVerDisallowed = 0x000004DF,
	ecFmtError = 0x000004ED,
	ecNotExpanded = 0x000004F7,
	ecNotCollapsed = 0x000004F8,
	ecLeaf = 0x000004F9,
	ecNoCreateRight = 0x000004FF,
	ecNoReadRight = 0x00000501,
	ecNoCreateSubfolderRight = 0x00000502,
	ecDstNullObject = 0x00000503,
	ecMsgCycle = 0x00000504,
	ecTooManyRecips = 0x00000505,
	ecDuplicateObject = 0x00000579,
	ecWrongMailbox = 0x00000648,
	ecPwdExpired = 0x0000064D,
	ecAcctDisabled = 0x00000650,
	ecMessageDeleted = 0x000007D6,
	ecRejected = 0x000007EE,
	ecAmbiguousAlias = 0x0000089A,
	ecUnknownMailbox = 0x0000089B,
	ecMailboxDisabled = 0x0000096C,
	ecADUnavailable = 0x0000096E,
	ecADError = 0x0000096F,
	ecNotEncrypted = 0x00000970,
	ecRpcServerTooBusy = 0x00000973,
	ecRpcInvalidHandle = 0x00000A2E,
	ecMaxPoolExceeded = 0x00000A2D,
	/* Of the address book */
	ecUnknownCpid = 0x8004011E,    /* MAPI_E_UNKNOWN_CPID */
	ecUnknownLcid = 0x8004011F,    /* MAPI_E_UNKNOWN_LCID */
	ecExtendedError = 0x80040119,  /* MAPI_E_EXTENDED_ERROR */
	ecUnexpectedType = 0x80040304, /* MAPI_E_UNEXPECTED_TYPE */
	ecUnconfigured = 0x8004011C,   /* MAPI_E_UNCONFIGURED */
};

/* "MAPI_E_NOT_FOUND", "ecNotEncrypted", ...; NULL when the code is not known. Static. */
const char *mapi_status_name(uint32_t code);

/* In the order of the table that the build makes: alphabetical. */
enum mapi_codes {
	MAPI_CODES_BIND_NAK_REASON,
	MAPI_CODES_DCE_STATUS, /* what the endpoint mapper and C706 runtimes answer */
	MAPI_CODES_MAPI,
	MAPI_CODES_NCA_FAULT,
	MAPI_CODES_NTSTATUS,
	MAPI_CODES_PROVIDER_REASON,
	MAPI_CODES_PROVIDER_RESULT,
	MAPI_CODES_WIN32, /* only those that RPC hands out as faults */
	MAPI_CODES_COUNT,
};

/* The name of a code in one family; NULL when it is not known. Static. */
const char *mapi_code_name(enum mapi_codes family, uint32_t code);

#endif
