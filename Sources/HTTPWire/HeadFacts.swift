/// What the well-known fields of one head determine together: its framing, persistence, and Host.
struct HeadFacts {
    struct Options: OptionSet {
        var rawValue: UInt8
        static let close = Options(rawValue: 1)
        static let keepAlive = Options(rawValue: 2)
        static let upgrade = Options(rawValue: 4)
    }

    private(set) var host: Range<Int>?
    /// The digits of Content-Length without leading zeros. Nil if it has none.
    private(set) var paddedLength: Range<Int>?
    /// Whether Upgrade names a protocol other than a version of HTTP or TLS.
    private(set) var offersTunnel = false
    private(set) var options: Options = []
    private(set) var expectsContinue = false
    private var hostCount = 0
    private var contentLength: UInt64?
    private var isChunked = false
    private var optionCount = 0

    /// Each option is later compared with every field, so their number is bounded.
    private static var mostOptions: Int { 64 }

    /// Records one field. The order of fields matters only for which of several errors is reported.
    mutating func note(_ field: Field, _ base: UnsafeRawPointer) throws(Halt) {
        let value = UnsafeRawBufferPointer(
            start: base + Int(field.valueStart), count: Int(field.valueEnd &- field.valueStart))
        switch field.name {
        case .host:
            hostCount &+= 1
            host = field.valueRange
        case .contentLength:
            guard contentLength == nil else { throw .refused(.duplicateContentLength) }
            contentLength = try Self.number(value)
            if value[0] == UInt8(ascii: "0"), value.count > 1 { notePadding(field, value) }
        case .transferEncoding:
            guard !isChunked else { throw .refused(.duplicateTransferEncoding) }
            guard CaseInsensitive.equal(value, "chunked") else {
                throw .refused(
                    TransferCodings.endInChunked(value) ? .unknownTransferCoding : .unsupportedTransferEncoding)
            }
            isChunked = true
        case .connection:
            try noteOptions(value)
        case .upgrade:
            offersTunnel = offersTunnel || UpgradeProtocols.includeTunnel(value)
        case .expect:
            expectsContinue = expectsContinue || CaseInsensitive.equal(value, "100-continue")
        default:
            break
        }
    }

    /// How a request's body ends (RFC 9112 §6.3), applied strictly.
    func requestFraming(_ version: HTTPVersion) throws(Halt) -> BodyFraming {
        try checkEncoding(version)
        if isChunked { return .chunked }
        return contentLength.map { .length($0) } ?? .none
    }

    /// How a response's body ends.
    func responseFraming(_ version: HTTPVersion, status: Int, to method: Method) throws(Halt) -> BodyFraming {
        try checkEncoding(version)
        if method == .head || status < 200 || status == 204 || status == 304 { return .none }
        if isChunked { return .chunked }
        return contentLength.map { .length($0) } ?? .untilClose
    }

    /// The host that the request is for: the authority of an absolute-form target, otherwise the value of the Host
    /// field, which is required in HTTP/1.1 and optional in HTTP/1.0 (RFC 9112 §3.2, §3.2.2). More than one is refused.
    func checkedHost(_ base: UnsafeRawPointer, for line: RequestLine) throws(Halt) -> Range<Int>? {
        guard hostCount <= 1 else { throw .refused(.duplicateHost) }
        guard let host else {
            guard line.version == .http10 else { throw .refused(.missingHost) }
            return line.authority
        }
        let bytes = UnsafeRawBufferPointer(start: base + host.lowerBound, count: host.count)
        guard let length = Authority.length(bytes) else { throw .refused(.malformedHost) }
        return line.authority ?? host.lowerBound..<(host.lowerBound &+ length)
    }

    func isPersistent(_ version: HTTPVersion) -> Bool {
        if options.contains(.close) { return false }
        return version == .http11 || options.contains(.keepAlive)
    }

    private mutating func notePadding(_ field: Field, _ value: UnsafeRawBufferPointer) {
        let zeros = value.dropLast().prefix { $0 == UInt8(ascii: "0") }.count
        paddedLength = (Int(field.valueStart) &+ zeros)..<Int(field.valueEnd)
    }

    private func checkEncoding(_ version: HTTPVersion) throws(Halt) {
        guard isChunked else { return }
        guard contentLength == nil else { throw .refused(.contentLengthWithTransferEncoding) }
        guard version == .http11 else { throw .refused(.transferEncodingInHTTP10) }
    }

    private mutating func noteOptions(_ value: UnsafeRawBufferPointer) throws(Halt) {
        var elements = ListElements(of: 0..<value.count, in: value)
        while let range = elements.next() {
            let option = UnsafeRawBufferPointer(rebasing: value[range])
            for byte in option where !byte.isToken { throw .refused(.malformedConnection) }
            optionCount &+= 1
            guard optionCount <= Self.mostOptions else { throw .refused(.tooManyConnectionOptions) }
            if CaseInsensitive.equal(option, "close") { options.insert(.close) }
            if CaseInsensitive.equal(option, "keep-alive") { options.insert(.keepAlive) }
            if CaseInsensitive.equal(option, "upgrade") { options.insert(.upgrade) }
        }
    }

    /// 1*DIGIT below 2^63, and at most nineteen digits including leading zeros: a longer run of zeros overflows in some
    /// parsers.
    private static func number(_ digits: UnsafeRawBufferPointer) throws(Halt) -> UInt64 {
        guard digits.count > 0 else { throw .refused(.malformedContentLength) }
        var number: UInt64 = 0
        for (index, digit) in digits.enumerated() {
            guard digit.isDigit else { throw .refused(.malformedContentLength) }
            // Nineteen digits fit a UInt64. Further bytes are only checked to be digits.
            if index < 19 { number = number &* 10 &+ UInt64(digit &- UInt8(ascii: "0")) }
        }
        guard digits.count <= 19, number < 1 << 63 else { throw .refused(.contentLengthTooLarge) }
        return number
    }
}
