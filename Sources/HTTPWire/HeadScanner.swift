/// Parses one message head in place: no copies, no allocation, only offsets into the given bytes.
///
/// Strict on purpose: anything that two parsers could read differently is refused, not repaired (RFC 9112 §2.2, §5,
/// §6). The result does not depend on how the bytes arrive: a prefix of a head is `.incomplete`, or is refused for the
/// same reason as the whole.
package struct HeadScanner: Sendable {
    private let limits: MessageLimits

    package init(limits: MessageLimits = MessageLimits()) {
        self.limits = limits.clamped
    }

    /// Scans the request head that begins at offset 0 of `bytes`. Bytes after the head are ignored. `fields` holds the
    /// field lines if the result is `.head`, and nothing otherwise. A Content-Length in it has no leading zeros, and a
    /// Host no colon without a port.
    package func scanRequest(_ bytes: UnsafeRawBufferPointer, into fields: FieldTable) -> RequestScan {
        do throws(Halt) {
            return .head(try request(bytes, into: fields))
        } catch {
            switch error {
            case .incomplete: return .incomplete
            case .refused(let refusal): return .refused(refusal)
            }
        }
    }

    /// Scans the response head that begins at offset 0 of `bytes`, the response to a request of method `requestMethod`.
    ///
    /// Content-Length and Transfer-Encoding of a 1xx or 204, which must not have them, are marked as removed in
    /// `fields`, so that no downstream recipient waits for a body.
    package func scanResponse(
        _ bytes: UnsafeRawBufferPointer, requestMethod: Method, into fields: FieldTable
    ) -> ResponseScan {
        do throws(Halt) {
            return .head(try response(bytes, to: requestMethod, into: fields))
        } catch {
            switch error {
            case .incomplete: return .incomplete
            case .refused(let refusal): return .refused(refusal)
            }
        }
    }

    private func request(
        _ bytes: UnsafeRawBufferPointer, into fields: FieldTable
    ) throws(Halt) -> RequestHead {
        let storage = fields.reset()
        guard let base = bytes.baseAddress, bytes.count > 0 else { throw .incomplete }
        let line = try RequestLine(base, count: bytes.count, limit: limits.requestLine)
        var section = FieldSection(start: line.end, limits: limits, capacity: fields.capacity)
        let length = try section.scan(base, count: bytes.count, into: storage, isRequest: true)
        let framing = try section.facts.requestFraming(line.version)
        let host = try section.facts.checkedHost(base, for: line)
        fields.commit(count: section.count, present: section.present)
        if let digits = section.facts.paddedLength { fields.trim(.contentLength, to: digits) }
        if let host, host != section.facts.host { Self.correctHost(line, host, fields) }
        let isCurrent = line.version == .http11
        return RequestHead(
            method: line.method, methodRange: line.methodRange, target: line.target, path: line.path,
            query: line.query, isAsterisk: line.isAsterisk, authority: line.authority, host: host,
            version: line.version,
            fieldsStart: line.end, length: length, framing: framing,
            isPersistent: section.facts.isPersistent(line.version),
            expectsContinue: isCurrent && section.facts.expectsContinue,
            wantsUpgrade: isCurrent && section.facts.offersTunnel && section.facts.options.contains(.upgrade))
    }

    /// The Host field differs from the host that the request is for.
    private static func correctHost(_ line: RequestLine, _ host: Range<Int>, _ fields: FieldTable) {
        if line.authority == nil {
            fields.trim(.host, to: host)
        } else {
            fields.removeAll(.host)
        }
    }

    private func response(
        _ bytes: UnsafeRawBufferPointer, to method: Method, into fields: FieldTable
    ) throws(Halt) -> ResponseHead {
        let storage = fields.reset()
        guard let base = bytes.baseAddress, bytes.count > 0 else { throw .incomplete }
        let line = try StatusLine(base, count: bytes.count, limit: limits.requestLine)
        var section = FieldSection(start: line.end, limits: limits, capacity: fields.capacity)
        let length = try section.scan(base, count: bytes.count, into: storage, isRequest: false)
        let framing = try section.facts.responseFraming(line.version, status: line.status, to: method)
        fields.commit(count: section.count, present: section.present)
        if let digits = section.facts.paddedLength { fields.trim(.contentLength, to: digits) }
        if line.status < 200 || line.status == 204 {
            fields.removeAll(.contentLength)
            fields.removeAll(.transferEncoding)
        }
        return ResponseHead(
            version: line.version, status: line.status, statusLine: 0..<(line.end &- 2), fieldsStart: line.end,
            length: length, framing: framing,
            isPersistent: section.facts.isPersistent(line.version) && framing != .untilClose)
    }
}
