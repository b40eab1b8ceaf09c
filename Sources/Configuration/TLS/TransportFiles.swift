import Proxy
import TLS

/// The files that the TLS keys of a servers transport name: paths, or PEM text.
struct TransportFiles: Equatable, Sendable {
    private var rootCAs: [String] = []
    /// `certFile` and `keyFile` of each of its certificates.
    private var certificates: [[String]] = []

    private static let pairKeys = ["certFile", "keyFile"]

    init() {}

    /// Reports nothing.
    init(_ section: SettingSection) {
        rootCAs = Self.elements(section["rootCAs"]).compactMap(\.text)
        certificates = Self.elements(section["certificates"]).filter(\.isMapping).map { pair in
            Self.pairKeys.map { pair.section()?[$0]?.text ?? "" }
        }
    }

    private static func elements(_ value: SettingValue?) -> [SettingValue] {
        guard let value, value.isList else { return [] }
        return value.list()
    }

    /// A section that names these files, without places.
    fileprivate func section(_ diagnostics: Diagnostics) -> SettingSection {
        func entry(_ key: String, _ content: SettingNode.Content) -> SettingNode.Entry {
            SettingNode.Entry(key: key, place: nil, path: nil, value: SettingNode(content))
        }
        let pairs = certificates.map { pair in
            SettingNode(.mapping(zip(Self.pairKeys, pair).map { entry($0, .text($1)) }))
        }
        let entries = [
            entry("rootCAs", .list(rootCAs.map { SettingNode(.text($0)) })), entry("certificates", .list(pairs)),
        ]
        return SettingSection(
            SettingValue(
                node: SettingNode(.mapping(entries)), key: "serversTransport", keyPlace: nil, diagnostics: diagnostics),
            entries: entries)
    }
}

extension HTTPContext {
    /// Reads the files again that the main file's `serversTransport` names. Its keys stay those of the start, whatever
    /// the main file says now.
    ///
    /// - Parameter main: where mistakes are reported.
    mutating func rereadTransportFiles(_ main: SourceTree) {
        let files = serversTransport.files
        guard files != TransportFiles() else { return }
        let current = main.root?.section("serversTransport")
        let section = current.flatMap { TransportFiles($0) == files ? $0 : nil } ?? files.section(main.diagnostics)
        let read = BackendTLSSettings(section, self)
        serversTransport.tls.client.authorities = read.client.authorities
        serversTransport.tls.client.certificate = read.client.certificate
    }
}
