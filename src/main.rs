fn main() -> std::process::ExitCode {
    widgetd::main()
}
