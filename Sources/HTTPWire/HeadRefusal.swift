/// Why a head is refused. The connection that sent it must be closed: it is unknown where the next message would begin.
package enum HeadRefusal: UInt8, Error, Equatable, Sendable, CaseIterable {
    // The start line
    case leadingEmptyLines, malformedMethod, methodTooLong, malformedTarget, malformedAuthority
    case asteriskWithoutOptions, connectUnsupported, malformedVersion, unsupportedVersion, requestLineTooLong
    case malformedStatusLine
    // Lines and fields
    case bareLineFeed, bareCarriageReturn, foldedLine, emptyFieldName, whiteSpaceInFieldName, malformedFieldName
    case malformedFieldValue, fieldTooLarge, fieldSectionTooLarge, tooManyFields, underscoreAlias
    // Host and Connection
    case missingHost, duplicateHost, malformedHost, malformedConnection, tooManyConnectionOptions
    // Framing
    case malformedContentLength, contentLengthTooLarge, duplicateContentLength, unsupportedTransferEncoding
    case unknownTransferCoding, duplicateTransferEncoding, transferEncodingInHTTP10, contentLengthWithTransferEncoding

    /// The status with which to answer a refused request. (A refused response is 502 to the client, whatever the
    /// reason.)
    package var status: Int {
        switch self {
        case .requestLineTooLong: 414
        case .fieldTooLarge, .fieldSectionTooLarge, .tooManyFields: 431
        case .connectUnsupported, .unknownTransferCoding: 501
        case .unsupportedVersion: 505
        default: 400
        }
    }

    /// What is wrong, in English. Contains nothing from the message.
    package var reason: StaticString {
        switch self {
        case .leadingEmptyLines: "more than one empty line before the request line"
        case .malformedMethod: "the method is not a token followed by one space"
        case .methodTooLong: "the method is longer than 32 bytes"
        case .malformedTarget:
            "the request target is not /path, http://host/path or *, or contains a forbidden byte"
        case .malformedAuthority: "the authority of the request target is not host[:port]"
        case .asteriskWithoutOptions: "the target * is for OPTIONS only"
        case .connectUnsupported: "CONNECT is not supported"
        case .malformedVersion: "the request line does not end in HTTP/ and a version"
        case .unsupportedVersion: "the version is neither HTTP/1.0 nor HTTP/1.1"
        case .requestLineTooLong: "the first line is too long"
        case .malformedStatusLine: "the first line is not HTTP/1.x, a space, a status from 100 to 599 and a reason"
        case .bareLineFeed: "a line ends in LF without CR"
        case .bareCarriageReturn: "a CR is not followed by LF"
        case .foldedLine: "a header line begins with white space"
        case .emptyFieldName: "a header has no name"
        case .whiteSpaceInFieldName: "white space in a header name or before its colon"
        case .malformedFieldName: "a header name is not a token, or has no colon after it"
        case .malformedFieldValue: "a header value contains a control character"
        case .fieldTooLarge: "a header is too large"
        case .fieldSectionTooLarge: "the headers together are too large"
        case .tooManyFields: "too many headers"
        case .underscoreAlias: "a header name differs from a well-known one only in its underscores or hyphens"
        case .missingHost: "no Host header in an HTTP/1.1 request"
        case .duplicateHost: "more than one Host header"
        case .malformedHost: "the Host header is not host[:port]"
        case .malformedConnection: "the Connection header is not a list of tokens"
        case .tooManyConnectionOptions: "too many options in Connection"
        case .malformedContentLength: "Content-Length is not a decimal number"
        case .contentLengthTooLarge: "Content-Length is too large"
        case .duplicateContentLength: "more than one Content-Length header"
        case .unsupportedTransferEncoding: "Transfer-Encoding is not exactly chunked"
        case .unknownTransferCoding: "an unknown transfer coding before chunked"
        case .duplicateTransferEncoding: "more than one Transfer-Encoding header"
        case .transferEncodingInHTTP10: "Transfer-Encoding in an HTTP/1.0 message"
        case .contentLengthWithTransferEncoding: "Content-Length together with Transfer-Encoding"
        }
    }
}

/// Why a scan stops before the end of a head. Every byte is judged only by itself and the bytes before it, so
/// `.refused` is final, and `.incomplete` holds until more bytes arrive.
enum Halt: Error {
    case incomplete
    case refused(HeadRefusal)
}
