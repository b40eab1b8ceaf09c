package import Affinity

/// A part of the store's keys, as one `SCAN` returns it. A key may appear more than once in a scan.
package struct ScanPage: Equatable, Sendable {
    /// The cursor of the next page. 0 after the last page.
    package let next: UInt64
    /// The sessions whose keys are in the page.
    package let fingerprints: [Fingerprint]
    /// Keys in the page that name no session.
    package let strangers: Int

    package init(next: UInt64, fingerprints: [Fingerprint], strangers: Int) {
        self.next = next
        self.fingerprints = fingerprints
        self.strangers = strangers
    }

    /// Parses what `SCAN` returns: the cursor as text, then an array of keys. Nil for any other array.
    ///
    /// - Parameter keyPrefix: what a key consists of, apart from the fingerprint.
    init?(_ elements: RESPElements, keyPrefix: [UInt8]) {
        var elements = elements
        guard elements.count == 2, case .string(let cursor) = elements.next(), let next = UInt64(decimal: cursor),
            case .array(let keys) = elements.next()
        else { return nil }
        var fingerprints: [Fingerprint] = []
        fingerprints.reserveCapacity(keys.count)
        for key in keys {
            guard case .string(let text) = key else { return nil }
            guard text.starts(with: keyPrefix),
                let fingerprint = Fingerprint(text: UnsafeRawBufferPointer(rebasing: text[keyPrefix.count...]))
            else { continue }
            fingerprints.append(fingerprint)
        }
        self.init(next: next, fingerprints: fingerprints, strangers: keys.count - fingerprints.count)
    }
}
