/// `entryPoints.<name>.http2`: `false`, or a mapping.
package struct EntryPointHTTP2Settings: Equatable, Sendable {
    /// Whether clients may speak HTTP/2.
    package var isServed = true
    /// How many requests a connection carries at once.
    package var maxConcurrentStreams = 100

    package init() {}
}

extension EntryPointHTTP2Settings {
    private static let streamsMax = 10_000

    init(_ value: SettingValue?) {
        self.init()
        guard let value else { return }
        if value.text != nil {
            isServed = value.bool() ?? isServed
            return
        }
        guard let section = value.section() else { return }
        section.check(
            known: ["maxConcurrentStreams"], unavailable: ["maxDecoderHeaderTableSize", "maxEncoderHeaderTableSize"])
        maxConcurrentStreams = section["maxConcurrentStreams"]?.integer(1...Self.streamsMax) ?? maxConcurrentStreams
    }
}
