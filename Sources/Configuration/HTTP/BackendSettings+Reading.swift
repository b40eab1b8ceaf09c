import Proxy
import Routing

extension BackendSettings {
    private static let nameByteCountMax = 256

    /// The elements of `servers`. Reports names and addresses that two elements share.
    static func list(_ elements: [SettingValue]) -> [BackendSettings] {
        var names: [String: Int] = [:]
        var places: [String: Int] = [:]
        var backends: [BackendSettings] = []
        for (index, element) in elements.enumerated() {
            guard let section = element.section(), let backend = BackendSettings(section) else { continue }
            if let other = places.updateValue(index, forKey: backend.place) {
                section["url"]?.diagnostic("is the same server as servers[\(other)]")
            } else if let other = names.updateValue(index, forKey: backend.name) {
                (section["name"] ?? section["url"])?.diagnostic("is already the name of servers[\(other)]")
            }
            backends.append(backend)
        }
        return backends
    }

    /// Equal for two spellings of one address, or of one host name.
    private var place: String {
        let name = host.hasSuffix(".") ? String(host.dropLast()) : host
        let address = AddressRange.Bits(name).map { AddressRange.Bits(packet: $0.bytes) }
        return "\(address.map { "\($0.bytes)" } ?? name.lowercased()):\(port)"
    }

    init?(_ section: SettingSection) {
        section.check(known: ["url", "name", "weight", "draining"], unavailable: ["preservePath"])
        let given = section["name"].flatMap(Self.name)
        weight = section["weight"]?.integer(0...65535) ?? 1
        isDraining = section["draining"]?.bool() ?? false
        isUnhealthy = false
        guard let value = section.required("url", "write http://host:port"), let text = value.string() else {
            return nil
        }
        do throws(AddressError) {
            let url = try ServerURL(text)
            if url.hasPath { value.warning("has a path, which has no effect: requests keep their own path") }
            name = given ?? text
            self.url = text
            (host, port, isSecure, isHTTP2) = (url.host, url.port, url.isSecure, url.isHTTP2)
        } catch {
            value.diagnostic(error.description)
            return nil
        }
    }

    private static func name(_ value: SettingValue) -> String? {
        guard let text = value.nonEmptyString() else { return nil }
        guard text.utf8.count <= nameByteCountMax, !ObjectName.holdsControl(text) else {
            value.diagnostic("must be at most \(nameByteCountMax) bytes without control characters")
            return nil
        }
        return text
    }
}
