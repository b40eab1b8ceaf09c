/// A backend of a service as replicas name it to each other, whatever its place in their configurations.
package struct FleetBackend: Hashable, Comparable, Sendable {
    package let service: ServiceHash
    package let backend: BackendHash

    package init(service: ServiceHash, backend: BackendHash) {
        self.service = service
        self.backend = backend
    }

    package static func < (lhs: Self, rhs: Self) -> Bool {
        (lhs.service.bits, lhs.backend.bits) < (rhs.service.bits, rhs.backend.bits)
    }
}
