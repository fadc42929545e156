/** Colours, sizes and touch targets. Red, amber and green have a clinical meaning and nothing else. */
import {
  Button,
  createTheme,
  Input,
  NativeSelect,
  PasswordInput,
  Textarea,
  TextInput,
  type MantineColorsTuple,
} from '@mantine/core'

const chart: MantineColorsTuple = [
  '#e5f5f6',
  '#cfe8ea',
  '#a3d2d6',
  '#73bbc1',
  '#4ba6ae',
  '#2b929b',
  '#167e87',
  '#0b6e75',
  '#085a60',
  '#04464b',
]

export const theme = createTheme({
  primaryColor: 'chart',
  colors: { chart },
  primaryShade: { light: 7, dark: 7 },
  autoContrast: true,
  fontFamily: 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Noto Sans Arabic", sans-serif',
  fontSizes: { xs: '0.8125rem', sm: '0.9375rem', md: '1rem', lg: '1.125rem', xl: '1.25rem' },
  defaultRadius: 'sm',
  focusRing: 'auto',
  respectReducedMotion: true,
  cursorType: 'pointer',
  components: {
    Button: Button.extend({ defaultProps: { size: 'md' } }),
    Input: Input.extend({ defaultProps: { size: 'md' } }),
    TextInput: TextInput.extend({ defaultProps: { size: 'md' } }),
    PasswordInput: PasswordInput.extend({ defaultProps: { size: 'md' } }),
    NativeSelect: NativeSelect.extend({ defaultProps: { size: 'md' } }),
    Textarea: Textarea.extend({ defaultProps: { size: 'md' } }),
  },
})
