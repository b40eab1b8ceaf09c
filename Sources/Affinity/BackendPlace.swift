/// A backend by its place in the configuration of this process.
package struct BackendPlace: Hashable, Comparable, Sendable {
    package let service: Int
    package let backend: Int

    package init(service: Int, backend: Int) {
        self.service = service
        self.backend = backend
    }

    package static func < (lhs: Self, rhs: Self) -> Bool { (lhs.service, lhs.backend) < (rhs.service, rhs.backend) }
}
