import Foundation

/// Whether replicas under test write to their sockets themselves (`replica.directSend`): they do, unless
/// `LIMPET_TEST_DIRECT_SEND` is `off`.
package enum DirectSend {
    package static let isOn = ProcessInfo.processInfo.environment["LIMPET_TEST_DIRECT_SEND"] != "off"

    /// A configuration with that setting.
    static func applied(to configuration: String) -> String {
        if isOn { return configuration }
        guard let section = configuration.range(of: "replica: {") else {
            return configuration + "\nreplica: { directSend: false }\n"
        }
        return configuration.replacingCharacters(in: section, with: "replica: { directSend: false,")
    }
}
